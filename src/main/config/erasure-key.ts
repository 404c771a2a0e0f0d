import { secretsIn } from './secret.ts'
import { settingsIn, type SettingsOf, text } from './setting.ts'
import { StartError } from './start-error.ts'

const SETTING = 'ERASURE_KEY_FILE'
/** 32 characters in hex are 128 random bits. */
const CHARACTERS_MIN = 32

export const erasureKeySettings = settingsIn('Privacy', {
  [SETTING]: text
    .optional()
    .describe(
      'File with the key that hashes the ids of erased persons, so that their late events are recognised. Every endpoint needs the same, and it must be kept as long as the database; npm start makes one in FOOTFALL_HOME when absent, and without one no person can be erased.',
    ),
})

/** The key; undefined without a file. @throws StartError for a file without one key. */
export function erasureKeyOf(config: SettingsOf<typeof erasureKeySettings>): Buffer | undefined {
  const file = config[SETTING]
  if (file === undefined) return undefined
  const [key, ...more] = secretsIn(SETTING, file, CHARACTERS_MIN)
  if (more.length > 0) throw new StartError(`${SETTING} is ${file}, which has two keys: one is needed, and it cannot change.`)
  return Buffer.from(key!)
}
