import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { signatureOf } from '../../gateway/payment-signature.ts'
import { readConfig } from '../config.ts'
import { StartError } from '../embedded/process.ts'
import { paymentSecretsOf } from '../payments.ts'
import { paymentSecretFileOf } from '../reach.ts'

export function signCommand(): Command {
  return new Command('sign')
    .description('Print the x-signature of a payment callback as of now, for trying it out.')
    .argument('<file>', 'the body, byte by byte as it will be sent')
    .action((file: string) => {
      const config = readConfig(process.env)
      // The last one is the newest.
      const secret = paymentSecretsOf({
        ...config,
        PAYMENT_SECRET_FILE: config.PAYMENT_SECRET_FILE ?? paymentSecretFileOf(config),
      }).at(-1)!
      console.log(signatureOf(bodyIn(file), secret, Date.now()))
    })
}

function bodyIn(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (cause) {
    throw new StartError(`${file} cannot be read (${(cause as NodeJS.ErrnoException).code}).`, { cause })
  }
}
