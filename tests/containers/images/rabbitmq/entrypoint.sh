# What the official image does with RABBITMQ_DEFAULT_USER and RABBITMQ_DEFAULT_PASS.
set -e
printf 'default_user = %s\ndefault_pass = %s\n' "$RABBITMQ_DEFAULT_USER" "$RABBITMQ_DEFAULT_PASS" > /etc/rabbitmq/rabbitmq.conf
exec rabbitmq-server
