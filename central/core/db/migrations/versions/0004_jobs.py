"""Jobs that make something of videos, and what they made.

What the columns are for, `tables.py` of each feature says.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
ACTIVE = sa.text("state IN ('queued', 'running')")


def upgrade() -> None:
    op.add_column("videos", sa.Column("rendition_id", sa.String(36)))
    op.create_table(
        "renditions",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("video_id", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("size", NUMBER, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["video_id"], ["videos.id"], name="fk_renditions_video_id_videos", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_renditions"),
        sa.UniqueConstraint("video_id", "kind", name="uq_renditions_video_id_kind"),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("video_id", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("progress", sa.Double, nullable=False),
        sa.Column("lease_id", sa.String(36)),
        sa.Column("lease_until", MOMENT, nullable=False),
        sa.Column("worker", sa.String(200)),
        sa.Column("problem", sa.Text),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["video_id"], ["videos.id"], name="fk_jobs_video_id_videos", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
    )
    op.create_index("ix_jobs_video_id", "jobs", ["video_id"])
    op.create_index("ix_jobs_state_updated_at", "jobs", ["state", "updated_at"])
    for name, columns, is_unique in (
        ("uq_jobs_video_id_kind_active", ["video_id", "kind"], True),
        ("ix_jobs_priority_id_active", ["priority", "id"], False),
    ):
        op.create_index(name, "jobs", columns, unique=is_unique, sqlite_where=ACTIVE, postgresql_where=ACTIVE)


def downgrade() -> None:
    op.drop_table("jobs")
    op.drop_table("renditions")
    # An older version knows no such state, and has no file that boxes could play.
    op.execute("UPDATE videos SET state = 'failed', problem = 'It was being converted.' WHERE state = 'transcoding'")
    op.execute("UPDATE videos SET state = 'failed', problem = 'It was converted.' WHERE rendition_id IS NOT NULL")
    op.drop_column("videos", "rendition_id")
