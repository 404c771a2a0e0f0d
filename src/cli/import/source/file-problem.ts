import { StartError } from '../../../main/config/start-error.ts'

const REASONS: Record<string, string> = {
  ENOENT: 'there is no such file or folder',
  EACCES: 'the permission is missing',
  EISDIR: 'it is a folder',
  ENOTDIR: 'it is no folder',
  ENOSPC: 'the disk is full',
  Z_DATA_ERROR: 'it is not a gzip file, or it is damaged',
  Z_BUF_ERROR: 'it ends in the middle of its compressed data',
}

/** The problem of a file in one sentence. */
export function fileProblem(path: string, verb: 'read' | 'written', error: unknown): StartError {
  const { code = '', message } = error as NodeJS.ErrnoException
  return new StartError(`${path} cannot be ${verb}: ${REASONS[code] ?? message}.`, { cause: error })
}
