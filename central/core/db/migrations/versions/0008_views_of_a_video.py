"""An index that has all of the views of videos, in the order of videos and days.

What it is for, `tables.py` of the feature says.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    columns = ["video_id", "day", "device_id", "views", "completed", "seconds"]
    op.create_index("ix_video_views_all", "video_views", columns)


def downgrade() -> None:
    op.drop_index("ix_video_views_all", "video_views")
