import type { ArchiveStore } from '../../external/archive-store.ts'
import { createFolderArchive } from '../../external/folder-archive.ts'
import { archivePlaceOf } from '../config/archive.ts'
import type { Config } from '../config/config.ts'

/** The archive of the settings. */
export async function openArchive(config: Config): Promise<ArchiveStore> {
  const place = archivePlaceOf(config)
  if ('folder' in place) return createFolderArchive(place.folder)
  // Loaded only where it is used: it takes some 30 MB and 0.3 s.
  const { createS3Archive } = await import('../../external/s3-archive.ts')
  return createS3Archive(place)
}
