"""The calls about videos and jobs."""

from __future__ import annotations

from typing import Final, get_args

from central.core.operations import Access, Operation
from central.library import calls, models
from central.library.types import MediaType

OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "POST", "/api/v1/videos", calls.reserve_video, Access.UPLOAD,
        "Reserve a video, which is uploaded next.",
        {201: models.Video}, (409, 507), body=models.VideoBody,
    ),
    Operation(
        "GET", "/api/v1/videos", calls.list_videos, Access.UPLOAD,
        "The videos, the newest first; for an upload key its own.",
        {200: models.Videos}, query=models.VideosQuery, shared=True,
    ),
    Operation(
        "GET", "/api/v1/videos/{id}", calls.get_video, Access.UPLOAD,
        "One video, and how far its upload is.",
        {200: models.Video}, (404,),
    ),
    Operation(
        "PATCH", "/api/v1/videos/{id}", calls.change_video, Access.ADMIN,
        "Change the title, description or tags of a video.",
        {200: models.Video}, (404,), body=models.VideoPatch,
    ),
    Operation(
        "DELETE", "/api/v1/videos/{id}", calls.delete_video, Access.ADMIN,
        "Delete a video, in whichever state it is.",
        {204: None}, (404,),
    ),
    Operation(
        "GET", "/api/v1/videos/{id}/upload", calls.plan_upload, Access.UPLOAD,
        "The parts of a video that are still to be sent, and where to.",
        {200: models.UploadPlan}, (404, 409),
    ),
    Operation(
        "PUT", "/api/v1/videos/{id}/content", calls.upload_video, Access.UPLOAD,
        "Add bytes to a video, behind those that are there.",
        {200: models.Video}, (404, 409, 507), query=models.ContentQuery, upload="application/octet-stream",
    ),
    Operation(
        "POST", "/api/v1/videos/{id}/complete", calls.complete_video, Access.UPLOAD,
        "All bytes are there: have the video checked.",
        {202: models.Video}, (404, 409),
    ),
    Operation(
        "GET", "/api/v1/videos/{id}/source", calls.get_video_source, Access.DEVICE,
        "Where the box that asks gets the bytes of a video.",
        {200: models.Source}, (404, 409), query=models.SourceQuery,
    ),
    Operation(
        "GET", "/api/v1/videos/{id}/file", calls.get_video_file, Access.OPEN,
        "The bytes of a video, or a range of them, at an address that was signed for a box.",
        {200: ", ".join(get_args(MediaType))}, (404, 409, 503), query=models.FileQuery,
    ),
    Operation(
        "GET", "/api/v1/videos/{id}/poster", calls.get_video_poster, Access.UPLOAD,
        "A picture of a film, 640 pixels wide.",
        {200: "image/jpeg"}, (404,),
    ),
    Operation(
        "GET", "/api/v1/videos/{id}/thumbnails", calls.get_video_thumbnails, Access.UPLOAD,
        "A hundred pictures over the length of a film, in ten rows and ten columns, each 160 pixels wide.",
        {200: "image/jpeg"}, (404,),
    ),
    Operation(
        "GET", "/api/v1/videos/{id}/thumbnails.vtt", calls.get_video_thumbnail_times, Access.UPLOAD,
        "The times of the thumbnails and their places in the picture, as WebVTT with `#xywh=`.",
        {200: "text/vtt"}, (404,),
    ),
    Operation(
        "POST", "/api/v1/videos/{id}/jobs", calls.add_job, Access.UPLOAD,
        "Have a rendition, a poster or thumbnails of a film made in the background.",
        {201: models.Job, 200: models.Job}, (404, 409), body=models.JobBody,
    ),
    Operation(
        "GET", "/api/v1/jobs", calls.list_jobs, Access.UPLOAD,
        "What is being made, was made and waits, the newest first; for an upload key of its own videos.",
        {200: models.Jobs}, query=models.JobsQuery,
    ),
    Operation(
        "DELETE", "/api/v1/jobs/{id}", calls.cancel_job, Access.UPLOAD,
        "Cancel a job.",
        {204: None}, (404, 409),
    ),
)  # fmt: skip
