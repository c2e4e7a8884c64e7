"""The library of videos, and keys that may do less than all.

What the columns are for, `tables.py` of each feature says.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.add_column("admin_keys", sa.Column("role", sa.String(32), nullable=False, server_default="admin"))
    op.create_table(
        "videos",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("size", NUMBER, nullable=False),
        sa.Column("sha256", sa.String(64)),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("problem", sa.Text),
        sa.Column("duration", sa.Double),
        sa.Column("width", sa.Integer),
        sa.Column("height", sa.Integer),
        sa.Column("video_codec", sa.String(32)),
        sa.Column("audio_codec", sa.String(32)),
        sa.Column("key_id", sa.String(36), sa.ForeignKey("admin_keys.id", name="fk_videos_key_id_admin_keys")),
        sa.Column("made_by", sa.String(200), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_videos"),
    )
    op.create_index("ix_videos_key_id", "videos", ["key_id"])
    op.create_index("ix_videos_state_updated_at", "videos", ["state", "updated_at"])


def downgrade() -> None:
    op.drop_table("videos")
    # An older version takes every key for one of an admin: what may only upload must not open everything.
    op.execute("DELETE FROM admin_keys WHERE role <> 'admin'")
    op.drop_column("admin_keys", "role")
