import { resolve } from 'node:path'
import { z } from 'zod'
import { accessSettings } from './access.ts'
import { addressProblem, addressSettings, portSettings } from './addresses.ts'
import { capacitySettings } from './capacity.ts'
import { CHECKOUT } from './checkout.ts'
import { databaseUrlWithPassword } from './database-password.ts'
import { failingSettings } from './failing.ts'
import { identityKeySettings } from './identity-keys.ts'
import { observabilitySettings } from './observability.ts'
import { paymentSettings } from './payments.ts'
import { popularitySettings } from './popularity.ts'
import { privacySettings } from './privacy.ts'
import { retentionSettings } from './retention.ts'
import { sellerTokenProblem, sellerTokenSettings } from './seller-tokens.ts'
import { StartError } from './start-error.ts'

/** Every setting, each an environment variable. docs/configuration.md has them in this order. */
export const Config = z.object({
  ...addressSettings,
  ...portSettings,
  ...popularitySettings,
  ...retentionSettings,
  ...identityKeySettings,
  ...paymentSettings,
  ...accessSettings,
  ...sellerTokenSettings,
  ...privacySettings,
  ...capacitySettings,
  ...failingSettings,
  ...observabilitySettings,
})
export type Config = z.infer<typeof Config>

/** Reads the configuration once. @throws StartError with every variable that is wrong. */
export function readConfig(environment: NodeJS.ProcessEnv): Config {
  const parsed = Config.safeParse(environment)
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')} ${demandOf(issue)}`)
    throw new StartError(`Change these environment variables: ${problems.join('; ')}.`)
  }
  const config = parsed.data
  const problems = [addressProblem(config), sellerTokenProblem(config)].filter((problem) => problem !== undefined)
  if (problems.length > 0) throw new StartError(problems.join(' '))
  const DATABASE_URL = databaseUrlWithPassword(config)
  return {
    ...config,
    ...(DATABASE_URL !== undefined && { DATABASE_URL }),
    FOOTFALL_HOME: resolve(CHECKOUT, config.FOOTFALL_HOME),
  }
}

/** What a variable must be. Its value is left out, because it may contain a password. */
function demandOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type') return `must be a ${issue.expected === 'int' ? 'whole number' : issue.expected}`
  if (issue.code === 'too_small') return issue.origin === 'string' ? 'must not be empty' : `must be at least ${issue.minimum}`
  if (issue.code === 'too_big') return `must be at most ${issue.maximum}`
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.join(', ')}`
  return issue.message
}
