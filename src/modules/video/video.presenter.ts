import type { Video } from './video.domain.js';

export function presentVideo(video: Video) {
  return {
    id: video.id,
    name: video.name,
    frame_count: video.frameCount,
    width: video.width,
    height: video.height,
    frame_rate: video.frameRate,
    duration_seconds: video.durationSeconds,
    size_bytes: video.sizeBytes,
    sha256: video.sha256,
    container: video.container,
    codec: video.codec,
    created_at: video.createdAt.toISOString(),
  };
}

/** As the answer to an upload lists it. */
export function presentAddedVideo({ id, name, frameCount, cost }: Video) {
  return { id, name, frame_count: frameCount, cost };
}
