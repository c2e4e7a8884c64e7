# What the official image does with POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB.
set -e
as="setpriv --reuid postgres --regid postgres --init-groups"
install --directory --owner postgres --mode 700 "$PGDATA"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    install --owner postgres --mode 600 /dev/null /run/password
    echo "$POSTGRES_PASSWORD" > /run/password
    $as initdb --username="$POSTGRES_USER" --pwfile=/run/password --encoding=UTF8 --locale=C.UTF-8 \
        --auth-local=trust --auth-host=scram-sha-256
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    $as pg_ctl --wait start --options "-c listen_addresses="
    createdb --host=/var/run/postgresql --username="$POSTGRES_USER" "$POSTGRES_DB"
    $as pg_ctl --wait stop
fi
exec $as postgres -c listen_addresses='*'
