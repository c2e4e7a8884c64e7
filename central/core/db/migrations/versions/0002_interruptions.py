"""Streams that wait for their publishers, and when things were changed last.

What the columns are for, `tables.py` of each feature says.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)

CHANGED = {
    "broadcasters": "created_at",
    "devices": "coalesce(revoked_at, created_at)",
    "stream_keys": "coalesce(revoked_at, created_at)",
    "streams": "coalesce(ended_at, started_at)",
}
"""The column of each table that holds the time of the last change, and the best known value for existing rows."""


def upgrade() -> None:
    for table, known in CHANGED.items():
        op.add_column(table, sa.Column("updated_at", MOMENT))
        op.execute(f"UPDATE {table} SET updated_at = {known}")  # noqa: S608 - both are ours
    op.add_column("streams", sa.Column("interrupted_at", MOMENT))
    op.add_column("streams", sa.Column("grace_until", MOMENT))
    away = sa.text("grace_until IS NOT NULL")
    op.create_index("ix_streams_grace_until", "streams", ["grace_until"], sqlite_where=away, postgresql_where=away)


def downgrade() -> None:
    # What is interrupted has no connection that an older version could look for.
    op.execute(
        "UPDATE streams SET status = 'ended', ended_at = interrupted_at WHERE status = 'active' "
        "AND interrupted_at IS NOT NULL"
    )
    op.execute("DELETE FROM claims WHERE connection_id = ''")
    op.drop_index("ix_streams_grace_until", "streams")
    op.drop_column("streams", "grace_until")
    op.drop_column("streams", "interrupted_at")
    for table in CHANGED:
        op.drop_column(table, "updated_at")
