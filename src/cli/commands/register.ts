import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { Command } from 'commander'
import { readConfig } from '../../main/config/config.ts'
import { addressesOf } from '../../main/config/addresses.ts'
import { retentionOf } from '../../main/config/retention.ts'
import { contractChanges, type DescribedService } from '../../main/release/contract-change.ts'
import {
  deployments,
  discover,
  type OldDeployment,
  oldDeployments,
  register,
  registeredServices,
  removeDeployment,
} from '../../main/release/deployments.ts'
import { isRestateUp } from '../../main/embedded/restate.ts'
import { RELEASE } from '../../main/release/release.ts'
import { startSchedules } from '../../main/start-schedules.ts'
import { wholeNumber } from './whole-number.ts'
import { StartError } from '../../main/config/start-error.ts'
import { until } from '../../main/embedded/until.ts'

const WAIT_SECONDS = 30

interface RegisterOptions {
  breaking?: boolean
  removeDrained?: boolean
  wait: number
}

export function registerCommand(): Command {
  return new Command('register')
    .description(
      'Tell Restate of the release at FOOTFALL_ENDPOINT_URL: new calls go there, those that run end where they began. Safe to repeat.',
    )
    .option('--breaking', 'also when callers of the contract before, or calls that wait, may fail')
    .option('--remove-drained', 'let Restate forget old releases that have nothing left to do')
    .option('--wait <seconds>', 'how long Restate and the endpoint may take to come up', wholeNumber(1, 3_600), WAIT_SECONDS)
    .action(registerCheckedRelease)
}

async function registerCheckedRelease({ breaking = false, removeDrained = false, wait }: RegisterOptions): Promise<void> {
  const config = readConfig(process.env)
  const { adminUrl, ingressUrl, endpointUrl } = addressesOf(config)
  const waitMs = wait * 1_000
  if (!(await until(() => isRestateUp({ ingress: ingressUrl, admin: adminUrl }), waitMs))) {
    throw new StartError(
      `Restate does not answer at ${ingressUrl} and ${adminUrl}: start it, or change RESTATE_INGRESS_URL and RESTATE_ADMIN_URL.`,
    )
  }
  const found = await discoverPatiently(adminUrl, endpointUrl, waitMs)
  await refuseMixture(adminUrl, endpointUrl, releaseOf(found))
  const { isNew, told } = await registerRelease(adminUrl, found, endpointUrl, breaking)
  console.log(told)
  await startSchedules(ingressUrl, retentionOf(config)).catch((cause: unknown) => {
    throw new StartError(`The schedules were not started, because Restate does not answer at ${ingressUrl}: register again.`, {
      cause,
    })
  })
  const old = await oldDeployments(
    adminUrl,
    found.map(({ name }) => name),
  )
  // What has just begun there may not be known yet.
  await tellOf(old, adminUrl, removeDrained && !isNew)
}

interface Registered {
  isNew: boolean
  /** What was done, as a sentence. */
  told: string
}

async function registerRelease(
  adminUrl: string,
  found: DescribedService[],
  uri: string,
  isBreakingAllowed: boolean,
): Promise<Registered> {
  const release = releaseOf(found)
  const registered = await registeredServices(adminUrl)
  const here = (await deployments(adminUrl)).find((one) => sameAddress(one.uri, uri))
  if (here !== undefined) {
    const known = registered.find((service) => service.deployment_id === here.id)
    if (known === undefined) throw new StartError(`${uri} is the address of an older release: give each release its own.`)
    const knownRelease = releaseOf([known])
    if (knownRelease === release) return { isNew: false, told: `${release} at ${uri} is registered already.` }
    throw new StartError(
      `${uri} is registered as ${knownRelease}, and ${release} answers there now: give each release its own address (FOOTFALL_ENDPOINT_URL).`,
    )
  }
  // Of others' services in the same Restate nothing is said.
  const names = new Set(found.map(({ name }) => name))
  const ours = registered.filter(({ name, metadata }) => names.has(name) || metadata?.[RELEASE] !== undefined)
  const changes = contractChanges(ours, found)
  for (const { what, isBreaking } of ours.length > 0 ? changes : []) console.log(`${isBreaking ? 'Breaking: ' : ''}${what}.`)
  const broken = changes.filter(({ isBreaking }) => isBreaking).length
  if (broken > 0 && !isBreakingAllowed) {
    throw new StartError(
      `${release} was not registered: ${broken} of the changes may break callers, or calls that wait in Restate; register --breaking does it all the same.`,
    )
  }
  await register(adminUrl, uri, { isForced: false })
  return { isNew: true, told: `${release} at ${uri} is registered.` }
}

/** The endpoint may be just coming up. */
async function discoverPatiently(adminUrl: string, uri: string, waitMs: number): Promise<DescribedService[]> {
  let problem: unknown
  let found: DescribedService[] | undefined
  await until(async () => {
    try {
      found = await discover(adminUrl, uri)
    } catch (error) {
      problem = error
    }
    return found !== undefined
  }, waitMs)
  if (found !== undefined) return found
  throw new StartError(
    `Restate finds no service endpoint at ${uri}: start it, or change FOOTFALL_ENDPOINT_URL. (${(problem as Error).message.replaceAll(/\s+/g, ' ')})`,
  )
}

/** A name may stand for several containers, and Restate asked one of them. @throws StartError when another release is among them. */
async function refuseMixture(adminUrl: string, uri: string, release: string): Promise<void> {
  const { hostname } = new URL(uri)
  // Where this process does not know the name, Restate's answer has to do.
  const addresses = isIP(hostname) ? [] : await lookup(hostname, { all: true }).catch(() => [])
  for (const { address, family } of addresses.length > 1 ? addresses : []) {
    const one = new URL(uri)
    one.hostname = family === 6 ? `[${address}]` : address
    const found = await discover(adminUrl, one.href).catch(() => undefined)
    if (found !== undefined && releaseOf(found) !== release) {
      throw new StartError(`Both ${release} and ${releaseOf(found)} answer at ${uri}: give each release its own address.`)
    }
  }
}

function releaseOf(services: readonly DescribedService[]): string {
  return services[0]?.metadata?.[RELEASE] ?? 'unnamed'
}

function sameAddress(one: string, other: string): boolean {
  return new URL(one).href === new URL(other).href
}

async function tellOf(old: readonly OldDeployment[], adminUrl: string, isRemoving: boolean): Promise<void> {
  for (const { id, uri, unfinished } of old) {
    if (unfinished > 0) console.log(`The release before at ${uri} (${id}) has ${unfinished} invocations to end: let it run.`)
    else if (isRemoving) {
      await removeDeployment(adminUrl, id)
      console.log(`The release before at ${uri} (${id}) was drained, and Restate has forgotten it.`)
    } else console.log(`The release before at ${uri} (${id}) is drained: stop it, then register --remove-drained.`)
  }
}
