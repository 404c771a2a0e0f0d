import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

const CHECKOUT = join(import.meta.dirname, '..', '..')
const WRAPPER = join(CHECKOUT, 'footfall')

let folder: string
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'footfall-wrapper-'))))
afterAll(() => rmSync(folder, { recursive: true }))

test('./footfall runs the program by its absolute path and through a link, under any Node', { timeout: 60_000 }, () => {
  const link = join(folder, 'link')
  symlinkSync(WRAPPER, link)
  const { version } = JSON.parse(readFileSync(join(CHECKOUT, 'package.json'), 'utf8')) as { version: string }
  for (const command of [WRAPPER, link]) {
    expect(execFileSync(command, ['--version'], { cwd: folder, env: { PATH: '/usr/bin:/bin' }, encoding: 'utf8' })).toBe(
      `${version}\n`,
    )
  }
})

test('./footfall says to run npm ci where no packages are installed', () => {
  const copy = join(folder, 'footfall')
  copyFileSync(WRAPPER, copy)
  const { status, stderr } = spawnSync(copy, ['--version'], { encoding: 'utf8' })
  expect(status).toBe(1)
  expect(stderr).toMatch(/^Footfall's packages are not installed: run npm ci in .* first\.\n$/)
})

test('no page, message or script runs the program by npx, which may download another package', () => {
  const files = execFileSync('git', ['ls-files'], { cwd: CHECKOUT, encoding: 'utf8' })
    .split('\n')
    .filter((file) => file !== '' && existsSync(join(CHECKOUT, file)))
  expect(files).toContain('footfall')
  expect(files.filter((file) => /\bnpx\s+(--\S+\s+)*footfall\b/.test(readFileSync(join(CHECKOUT, file), 'utf8')))).toEqual([])
})
