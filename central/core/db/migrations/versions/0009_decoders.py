"""What boxes decode, by which each gets the original of a video or a rendition; before, one rendition stood for all.

What it is for, `tables.py` of the features say.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

NO_BOX_PLAYS = """
    type IN ('video/mpeg', 'video/x-flv', 'video/x-ms-wmv', 'video/x-msvideo')
    OR video_codec NOT IN ('av1', 'h264', 'hevc', 'mjpeg', 'mpeg1video', 'mpeg2video', 'mpeg4', 'theora', 'vp8', 'vp9')
    OR (audio_codec NOT IN ('aac', 'ac3', 'alac', 'dts', 'eac3', 'flac', 'mp2', 'mp3', 'opus', 'vorbis')
        AND substr(audio_codec, 1, 4) <> 'pcm_')
"""
"""The condition of films of which boxes got a rendition before this migration."""


def upgrade() -> None:
    op.add_column("devices", sa.Column("decodes", sa.Text()))
    op.drop_column("videos", "rendition_id")


def downgrade() -> None:
    op.add_column("videos", sa.Column("rendition_id", sa.String(36)))
    made = "SELECT id FROM renditions WHERE video_id = videos.id AND kind = '1080p'"
    op.execute(f"UPDATE videos SET rendition_id = ({made}) WHERE {NO_BOX_PLAYS}")  # noqa: S608 - words of ours
    op.drop_column("devices", "decodes")
