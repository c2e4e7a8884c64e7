"""Live streams: a title of their own, whether they are recorded, and whose quota the recordings count for.

What the columns are for, `tables.py` of each feature says.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("stream_keys", sa.Column("title", sa.String(200)))
    op.add_column("stream_keys", sa.Column("record", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("stream_keys", sa.Column("owner_id", sa.String(36)))
    op.add_column("stream_keys", sa.Column("owner_name", sa.String(200)))


def downgrade() -> None:
    for name in ("owner_name", "owner_id", "record", "title"):
        op.drop_column("stream_keys", name)
