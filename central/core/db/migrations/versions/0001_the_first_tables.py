"""The first tables.

What the tables are for, `tables.py` of each feature says.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.String(36)
DIGEST = sa.String(64)
WORD = sa.String(32)
NAME = sa.String(200)
MOMENT = sa.DateTime(timezone=True)
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _table(
        "admin_keys",
        sa.Column("id", ID, primary_key=True),
        sa.Column("name", NAME, nullable=False),
        sa.Column("key_hash", DIGEST, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("revoked_at", MOMENT),
        unique=("key_hash",),
    )
    _partly_unique("admin_keys", "name", "revoked_at IS NULL")
    _table(
        "enrolment_tokens",
        sa.Column("id", ID, primary_key=True),
        sa.Column("token_hash", DIGEST, nullable=False),
        sa.Column("uses_left", sa.Integer, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        unique=("token_hash",),
    )
    _table(
        "devices",
        sa.Column("id", ID, primary_key=True),
        sa.Column("name", NAME, nullable=False),
        sa.Column("token_hash", DIGEST, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("revoked_at", MOMENT),
        sa.Column("last_seen", MOMENT),
        sa.Column("online_until", MOMENT),
        sa.Column("agent_version", sa.String(64)),
        sa.Column("metadata", sa.JSON, nullable=False),
        unique=("token_hash",),
    )
    _table(
        "device_boots",
        sa.Column("number", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("device_id", ID, nullable=False),
        sa.Column("boot_id", ID, nullable=False),
        sa.Column("first_seen", MOMENT, nullable=False),
        _reference("device_boots", "device_id", "devices", "CASCADE"),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_device_boots_device_id_boot_id", "device_boots", ["device_id", "boot_id"], unique=True)
    _table(
        "device_states",
        sa.Column("device_id", ID, primary_key=True),
        sa.Column("boot_number", sa.BigInteger, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("state", sa.JSON, nullable=False),
        _reference("device_states", "device_id", "devices", "CASCADE"),
    )
    _table(
        "events",
        sa.Column("number", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("device_id", ID, nullable=False),
        sa.Column("event_id", ID, nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("session_id", sa.String(64)),
        sa.Column("boot_id", ID, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("occurred_at", MOMENT, nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("uptime", sa.Double, nullable=False),
        sa.Column("clock_synced", sa.Boolean, nullable=False),
        sa.Column("agent_version", sa.String(64), nullable=False),
        sa.Column("data", sa.JSON, nullable=False),
        _reference("events", "device_id", "devices", "CASCADE"),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_events_device_id_event_id", "events", ["device_id", "event_id"], unique=True)
    op.create_index("ix_events_device_id_number", "events", ["device_id", "number"])
    op.create_index("ix_events_received_at", "events", ["received_at"])
    _table(
        "broadcasters",
        sa.Column("id", ID, primary_key=True),
        sa.Column("name", NAME, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("metadata", sa.JSON, nullable=False),
        unique=("name",),
    )
    _table(
        "stream_keys",
        sa.Column("id", ID, primary_key=True),
        sa.Column("broadcaster_id", ID, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("key_hash", DIGEST, nullable=False),
        sa.Column("path", sa.Text),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT),
        sa.Column("revoked_at", MOMENT),
        sa.Column("last_used", MOMENT),
        _reference("stream_keys", "broadcaster_id", "broadcasters", "CASCADE"),
        unique=("key_hash",),
    )
    op.create_index("ix_stream_keys_broadcaster_id", "stream_keys", ["broadcaster_id"])
    _table(
        "claims",
        sa.Column("stream_key_id", ID, primary_key=True),
        sa.Column("connection_id", sa.String(64), nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("protocol", WORD, nullable=False),
        sa.Column("claimed_at", MOMENT, nullable=False),
        sa.Column("leased_until", MOMENT),
        _reference("claims", "stream_key_id", "stream_keys", "CASCADE"),
        unique=("path",),
    )
    op.create_index("ix_claims_connection_id", "claims", ["connection_id"])
    _table(
        "streams",
        sa.Column("id", ID, primary_key=True),
        sa.Column("code", sa.String(16), nullable=False),
        sa.Column("source", WORD, nullable=False),
        sa.Column("device_id", ID),
        sa.Column("stream_key_id", ID),
        sa.Column("path", sa.Text),
        sa.Column("connection_id", sa.String(64)),
        sa.Column("connection_type", WORD),
        sa.Column("title", NAME),
        sa.Column("url", sa.Text),
        sa.Column("quality", WORD),
        sa.Column("status", WORD, nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT),
        sa.Column("end_reason", WORD),
        sa.Column("metadata", sa.JSON, nullable=False),
        _reference("streams", "device_id", "devices", "SET NULL"),
        _reference("streams", "stream_key_id", "stream_keys", "SET NULL"),
    )
    for column in ("device_id", "ended_at", "stream_key_id"):
        op.create_index(f"ix_streams_{column}", "streams", [column])
    for column in ("code", "device_id", "path", "stream_key_id"):
        _partly_unique("streams", column, "status = 'active'")


def downgrade() -> None:
    for table in (
        "streams",
        "claims",
        "stream_keys",
        "broadcasters",
        "events",
        "device_states",
        "device_boots",
        "devices",
        "enrolment_tokens",
        "admin_keys",
    ):
        op.drop_table(table)


def _table(name: str, *parts: sa.schema.SchemaItem, unique: tuple[str, ...] = (), **options: bool) -> None:
    keys = [part.name for part in parts if isinstance(part, sa.Column) and part.primary_key]
    for part in parts:
        if isinstance(part, sa.Column):
            part.primary_key = False  # it gets a name, below
            part.nullable = part.nullable and part.name not in keys
    constraints = [sa.UniqueConstraint(column, name=f"uq_{name}_{column}") for column in unique]
    op.create_table(name, *parts, sa.PrimaryKeyConstraint(*keys, name=f"pk_{name}"), *constraints, **options)


def _reference(table: str, column: str, other: str, ondelete: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=f"fk_{table}_{column}", ondelete=ondelete)


def _partly_unique(table: str, column: str, where: str) -> None:
    condition = sa.text(where)
    name = f"uq_{table}_{column}_active"
    op.create_index(name, table, [column], unique=True, sqlite_where=condition, postgresql_where=condition)
