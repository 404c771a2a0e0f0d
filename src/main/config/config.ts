import { resolve } from 'node:path'
import { z } from 'zod'
import { plainMessage } from '../../contract/fields/zod-messages.ts'
import { accessSettings } from './access.ts'
import { addressProblem } from './addresses.ts'
import { addressSettings, portSettings } from './address-settings.ts'
import { alertSettings } from './alerts.ts'
import { archiveProblem, archiveSettings } from './archive.ts'
import { backupSettings } from './backup.ts'
import { capacitySettings } from './capacity.ts'
import { CHECKOUT } from './checkout.ts'
import { databaseUrlWithPassword } from './database-password.ts'
import { erasureKeySettings } from './erasure-key.ts'
import { failingSettings } from './failing.ts'
import { identityKeySettings } from './identity-keys.ts'
import { impressionSettings } from './impressions.ts'
import { kafkaProblem, kafkaSettings } from './kafka.ts'
import { liveEventSettings } from './live-events.ts'
import { metricsStoreSettings } from './metrics-store.ts'
import { observabilitySettings } from './observability.ts'
import { operatorTokenSettings } from './operator-token.ts'
import { paymentSettings } from './payments.ts'
import { popularitySettings } from './popularity.ts'
import { privacySettings } from './privacy.ts'
import { recommendationSettings } from './recommendations.ts'
import { rerankSettings } from './rerank.ts'
import { retentionSettings } from './retention.ts'
import { sellerTokenProblem, sellerTokenSettings } from './seller-tokens.ts'
import { shopperSettings } from './shoppers.ts'
import { standbySettings } from './standbys.ts'
import { verificationSettings } from './verification.ts'
import { similaritySettings } from './similarity.ts'
import { StartError } from './start-error.ts'

/** Every setting, each an environment variable. docs/configuration.md has them in this order. */
export const Config = z.object({
  ...addressSettings,
  ...portSettings,
  ...standbySettings,
  ...popularitySettings,
  ...retentionSettings,
  ...archiveSettings,
  ...backupSettings,
  ...metricsStoreSettings,
  ...identityKeySettings,
  ...operatorTokenSettings,
  ...paymentSettings,
  ...accessSettings,
  ...sellerTokenSettings,
  ...privacySettings,
  ...erasureKeySettings,
  ...shopperSettings,
  ...liveEventSettings,
  ...similaritySettings,
  ...recommendationSettings,
  ...rerankSettings,
  ...impressionSettings,
  ...alertSettings,
  ...verificationSettings,
  ...capacitySettings,
  ...failingSettings,
  ...kafkaSettings,
  ...observabilitySettings,
})
export type Config = z.infer<typeof Config>

/** Reads the configuration once. @throws StartError with every variable that is wrong. */
export function readConfig(environment: NodeJS.ProcessEnv): Config {
  // The messages say what a variable must be. They leave out its value, because it may contain a password.
  const parsed = Config.safeParse(environment, { error: plainMessage })
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`)
    throw new StartError(`Change these environment variables: ${problems.join('; ')}.`)
  }
  const config = parsed.data
  const problems = [
    addressProblem(config),
    sellerTokenProblem(config),
    kafkaProblem(config),
    archiveProblem(config, environment),
  ].filter((problem) => problem !== undefined)
  if (problems.length > 0) throw new StartError(problems.join(' '))
  const DATABASE_URL = databaseUrlWithPassword(config)
  return {
    ...config,
    ...(DATABASE_URL !== undefined && { DATABASE_URL }),
    FOOTFALL_HOME: resolve(CHECKOUT, config.FOOTFALL_HOME),
  }
}
