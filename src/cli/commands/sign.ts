import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { signatureOf } from '../../external/webhook-signature.ts'
import { readConfig } from '../../main/config/config.ts'
import { paymentSecretsOf } from '../../main/config/payments.ts'
import { StartError } from '../../main/config/start-error.ts'
import { paymentSecretFileOf } from '../../main/database/home-paths.ts'
import { print } from '../terminal/output.ts'

export function signCommand(): Command {
  return new Command('sign')
    .description('Print the x-signature of a payment callback that is sent now, to try it out.')
    .argument('<file>', 'file with the body, exactly as it will be sent')
    .action((file: string) => {
      const config = readConfig(process.env)
      // The last secret is the newest.
      const secret = paymentSecretsOf({
        ...config,
        PAYMENT_SECRET_FILE: config.PAYMENT_SECRET_FILE ?? paymentSecretFileOf(config),
      }).at(-1)!
      print(signatureOf(bodyIn(file), secret, Date.now()))
    })
}

function bodyIn(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (cause) {
    throw new StartError(`${file} cannot be read (${(cause as NodeJS.ErrnoException).code}).`, { cause })
  }
}
