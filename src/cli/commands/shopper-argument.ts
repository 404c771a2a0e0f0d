import { InvalidArgumentError } from 'commander'
import { type Shopper, ShopperId, shopperIdOf, shopperOf } from '../../contract/fields/shopper-id.ts'

const EXAMPLES = { account: 'account:ada', session: 'session:s-1' }

/** Reads an argument that is a shopper, e.g. `account:ada`. */
export function shopperArgument(text: string): Shopper {
  const shopper = shopperOf(text)
  if (shopper !== undefined) return shopper
  throw new InvalidArgumentError(`It ${ShopperId.safeParse(text).error!.issues[0]!.message}, e.g. ${EXAMPLES.account}.`)
}

/** Reads an argument that is a shopper of this kind. */
export function shopperOfKind(kind: Shopper['kind']): (text: string) => Shopper {
  return (text) => {
    const shopper = shopperArgument(text)
    if (shopper.kind === kind) return shopper
    throw new InvalidArgumentError(`It must be ${kind}:<${kind}_id>, e.g. ${EXAMPLES[kind]}.`)
  }
}

/** The address of a shopper in the gateway. */
export function shopperPath(shopper: Shopper, rest = ''): string {
  return `/api/v1/shoppers/${encodeURIComponent(shopperIdOf(shopper))}${rest}`
}
