import { secretsIn } from './secret.ts'
import { settingsIn, type SettingsOf, text } from './setting.ts'
import { StartError } from './start-error.ts'

const SETTING = 'OPERATOR_TOKEN_FILE'
/** 32 characters in hex are 128 random bits. */
const CHARACTERS_MIN = 32

export const operatorTokenSettings = settingsIn('Access', {
  [SETTING]: text
    .optional()
    .describe(
      'File with the token of operators, or with two while it changes, one per line. The handlers for operators (docs/handlers.md) then take only calls with it, and the gateway and the commands send the first; any caller may call them when absent.',
    ),
})

/** The tokens of operators; empty without a file. @throws StartError for a file without one or two tokens. */
export function operatorTokensOf(config: SettingsOf<typeof operatorTokenSettings>): string[] {
  const file = config[SETTING]
  if (file === undefined) return []
  const tokens = secretsIn(SETTING, file, CHARACTERS_MIN)
  if (tokens.every((token) => /^[!-~]+$/.test(token))) return tokens
  throw new StartError(`${SETTING} is ${file}, which has a token with a character that no header may have.`)
}
