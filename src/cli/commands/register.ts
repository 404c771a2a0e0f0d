import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { Command } from 'commander'
import { readConfig } from '../../main/config/config.ts'
import { addressesOf, adminUrlOf } from '../../main/config/addresses.ts'
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
import { ingressOf } from '../../main/ingress.ts'
import { isRestateUp } from '../../main/embedded/restate.ts'
import { JOURNAL_MINUTES, RELEASE } from '../../main/release/release.ts'
import { startSchedules } from '../../main/start-schedules.ts'
import { wholeNumber } from './whole-number.ts'
import { StartError } from '../../main/config/start-error.ts'
import { until } from '../../main/embedded/until.ts'
import { print } from '../terminal/output.ts'

const WAIT_SECONDS = 30

interface RegisterOptions {
  breaking?: boolean
  removeDrained?: boolean
  wait: number
}

export function registerCommand(): Command {
  return new Command('register')
    .description(
      'Register the release at FOOTFALL_ENDPOINT_URL with Restate: new calls go to it, running calls end where they began. Safe to repeat.',
    )
    .option('--breaking', 'register even if callers of the previous contract, or calls that wait in Restate, may fail')
    .option('--remove-drained', 'remove old releases without unfinished invocations from Restate')
    .option('--wait <seconds>', 'how long to wait for Restate and the endpoint', wholeNumber(1, 3_600), WAIT_SECONDS)
    .action(registerCheckedRelease)
}

async function registerCheckedRelease({ breaking = false, removeDrained = false, wait }: RegisterOptions): Promise<void> {
  const config = readConfig(process.env)
  const adminUrl = adminUrlOf(config)
  const { ingressUrl, endpointUrl } = addressesOf(config)
  const waitMs = wait * 1_000
  if (!(await until(() => isRestateUp({ ingress: ingressUrl, admin: adminUrl }), waitMs))) {
    throw new StartError(
      `Restate does not answer at ${ingressUrl} and ${adminUrl}: start it, or change RESTATE_INGRESS_URL and RESTATE_ADMIN_URL.`,
    )
  }
  const found = await discoverPatiently(adminUrl, endpointUrl, waitMs)
  await refuseMixture(adminUrl, endpointUrl, found)
  const { isNew, summary } = await registerRelease(adminUrl, found, endpointUrl, breaking)
  print(summary)
  await startSchedules(ingressOf(config), retentionOf(config)).catch((cause: unknown) => {
    if (cause instanceof StartError) throw cause
    throw new StartError(`The schedules were not started, because Restate does not answer at ${ingressUrl}: register again.`, {
      cause,
    })
  })
  const old = await oldDeployments(
    adminUrl,
    found.map(({ name }) => name),
  )
  // Calls that began a moment ago may be missing in the numbers of a release that was current until now.
  await handleOldReleases(old, adminUrl, removeDrained && !isNew)
}

interface Registered {
  isNew: boolean
  /** The outcome in one sentence. */
  summary: string
}

async function registerRelease(
  adminUrl: string,
  found: DescribedService[],
  uri: string,
  isBreakingAllowed: boolean,
): Promise<Registered> {
  const release = releaseOf(found)
  const registered = await registeredServices(adminUrl)
  const here = (await deployments(adminUrl)).find((deployment) => sameAddress(deployment.uri, uri))
  if (here !== undefined) {
    const service = registered.find(({ deployment_id: id }) => id === here.id)
    if (service === undefined) throw new StartError(`${uri} is the address of an older release: give each release its own.`)
    const registeredRelease = releaseOf([service])
    if (registeredRelease === release) {
      const change = settingChange([service], found)
      if (change === undefined) return { isNew: false, summary: `${release} at ${uri} is registered already.` }
      // The code is the same, so running calls go on.
      await register(adminUrl, uri, { isForced: true })
      return { isNew: false, summary: `${release} at ${uri} is registered again, because ${change}.` }
    }
    throw new StartError(
      `${uri} is registered as ${registeredRelease}, and ${release} answers there now: give each release its own address (FOOTFALL_ENDPOINT_URL).`,
    )
  }
  // The same Restate may have services of other programs, which are left alone.
  const names = new Set(found.map(({ name }) => name))
  const ours = registered.filter(({ name, metadata }) => names.has(name) || metadata?.[RELEASE] !== undefined)
  const changes = contractChanges(ours, found)
  for (const { what, isBreaking } of ours.length > 0 ? changes : []) print(`${isBreaking ? 'Breaking: ' : ''}${what}.`)
  const broken = changes.filter(({ isBreaking }) => isBreaking).length
  if (broken > 0 && !isBreakingAllowed) {
    throw new StartError(
      `${release} was not registered: ${broken} of the changes may break callers, or calls that wait in Restate; register --breaking registers it anyway.`,
    )
  }
  await register(adminUrl, uri, { isForced: false })
  return { isNew: true, summary: `${release} at ${uri} is registered.` }
}

/** Retries, because the endpoint may be starting. */
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

/** What differs between two services of one release; undefined when nothing does. */
function settingChange(before: readonly DescribedService[], after: readonly DescribedService[]): string | undefined {
  const [was, is] = [journalMinutesOf(before), journalMinutesOf(after)]
  return was === is ? undefined : `JOURNAL_MINUTES was ${was} and is ${is}`
}

/** Checks every address of a host name, because it may stand for several containers and Restate asked one. @throws StartError for two releases. */
async function refuseMixture(adminUrl: string, uri: string, services: readonly DescribedService[]): Promise<void> {
  const release = releaseOf(services)
  const { hostname } = new URL(uri)
  // A name that this process cannot resolve is not checked any further.
  const addresses = isIP(hostname) ? [] : await lookup(hostname, { all: true }).catch(() => [])
  for (const { address, family } of addresses.length > 1 ? addresses : []) {
    const url = new URL(uri)
    url.hostname = family === 6 ? `[${address}]` : address
    const found = await discover(adminUrl, url.href).catch(() => undefined)
    if (found !== undefined && releaseOf(found) !== release) {
      throw new StartError(`Both ${release} and ${releaseOf(found)} answer at ${uri}: give each release its own address.`)
    }
    const change = found === undefined ? undefined : settingChange(services, found)
    if (change !== undefined) {
      throw new StartError(`Processes with different settings answer at ${uri} (${change}): start all of them with the same.`)
    }
  }
}

function releaseOf(services: readonly DescribedService[]): string {
  return services[0]?.metadata?.[RELEASE] ?? 'unnamed'
}

/** Releases without the setting keep no journals. */
function journalMinutesOf(services: readonly DescribedService[]): string {
  return services[0]?.metadata?.[JOURNAL_MINUTES] ?? '0'
}

function sameAddress(a: string, b: string): boolean {
  return new URL(a).href === new URL(b).href
}

async function handleOldReleases(old: readonly OldDeployment[], adminUrl: string, isRemoving: boolean): Promise<void> {
  for (const { id, uri, unfinished } of old) {
    if (unfinished > 0) print(`The release before at ${uri} (${id}) has ${unfinished} unfinished invocations: let it run.`)
    else if (isRemoving) {
      await removeDeployment(adminUrl, id)
      print(`The release before at ${uri} (${id}) was drained, and Restate has forgotten it.`)
    } else print(`The release before at ${uri} (${id}) is drained: stop it, then register --remove-drained.`)
  }
}
