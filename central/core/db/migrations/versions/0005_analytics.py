"""The views of videos, and the titles of videos that were deleted.

What the columns are for, `tables.py` of each feature says.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "deleted_videos",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_deleted_videos"),
    )
    op.create_table(
        "video_views",
        sa.Column("video_id", sa.String(36), nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("device_id", sa.String(36), nullable=False),
        sa.Column("views", NUMBER, nullable=False),
        sa.Column("completed", NUMBER, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("video_id", "day", "device_id", name="pk_video_views"),
    )
    op.create_index("ix_video_views_day", "video_views", ["day"])


def downgrade() -> None:
    op.drop_table("video_views")
    op.drop_table("deleted_videos")
