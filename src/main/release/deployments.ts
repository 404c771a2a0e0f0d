import type { DescribedService } from './contract-change.ts'
import { queryRestate } from '../embedded/restate.ts'

/** An address that Restate calls, or called, services at. */
export interface Deployment {
  id: string
  uri: string
  created_at: string
  services: { name: string; revision: number }[]
}

/** A deployment, and what it still has to do. */
export interface OldDeployment extends Deployment {
  /** Invocations that began on it and have not ended. */
  unfinished: number
}

const ANSWER_MS_MAX = 30_000
/** A probe does not wait that long. */
const PROBE_MS_MAX = 2_000

/** What is at an address, without registering it. @throws when nothing answers there. */
export async function discover(adminUrl: string, uri: string): Promise<DescribedService[]> {
  const { services } = await ask<{ services: DescribedService[] }>(adminUrl, 'POST', '/v3/deployments', {
    ...{ uri, dry_run: true, force: true },
  })
  return services
}

/**
 * Makes an address the one that new invocations go to. To register one again changes nothing, unless it is forced: then what is
 * there now replaces what was there.
 */
export async function register(adminUrl: string, uri: string, { isForced }: { isForced: boolean }): Promise<void> {
  await ask(adminUrl, 'POST', '/v3/deployments', { uri, force: isForced, breaking: true })
}

type RegisteredService = DescribedService & { deployment_id: string }

export async function registeredServices(adminUrl: string, msMax?: number): Promise<RegisteredService[]> {
  return (await ask<{ services: RegisteredService[] }>(adminUrl, 'GET', '/services', undefined, msMax)).services
}

/** Whether Restate knows these services, and where it sends new calls of them; of a Restate that does not answer nothing is known. */
export async function registrationOf(
  adminUrl: string,
  names: readonly string[],
): Promise<{ isComplete: boolean; address: string | undefined }> {
  try {
    const ours = (await registeredServices(adminUrl, PROBE_MS_MAX)).filter(({ name }) => names.includes(name))
    const [first] = ours
    const path = `/deployments/${first?.deployment_id}`
    const address = first && (await ask<Deployment>(adminUrl, 'GET', path, undefined, PROBE_MS_MAX)).uri
    return { isComplete: ours.length === names.length, address }
  } catch {
    return { isComplete: false, address: undefined }
  }
}

/** All, oldest first. */
export async function deployments(adminUrl: string): Promise<Deployment[]> {
  const { deployments: all } = await ask<{ deployments: Deployment[] }>(adminUrl, 'GET', '/deployments')
  return all.toSorted((one, other) => one.created_at.localeCompare(other.created_at))
}

/** Those with one of the services that get no new invocations, with what they still have to do. */
export async function oldDeployments(adminUrl: string, names: readonly string[]): Promise<OldDeployment[]> {
  const [all, services] = await Promise.all([deployments(adminUrl), registeredServices(adminUrl)])
  const current = new Set(services.map((service) => service.deployment_id))
  const rows = await queryRestate<{ id: string; n: number }>(
    adminUrl,
    `select coalesce(pinned_deployment_id, last_attempt_deployment_id) as id, count(*) as n from sys_invocation
      where status <> 'completed' group by 1`,
  )
  return all
    .filter(({ id, services: own }) => !current.has(id) && own.some(({ name }) => names.includes(name)))
    .map((old) => ({ ...old, unfinished: rows.find(({ id }) => id === old.id)?.n ?? 0 }))
}

/** Restate forgets it, whatever it still has to do. */
export async function removeDeployment(adminUrl: string, id: string): Promise<void> {
  await ask(adminUrl, 'DELETE', `/deployments/${id}?force=true`)
}

/** @throws what Restate says is wrong. */
async function ask<T>(adminUrl: string, method: string, path: string, body?: unknown, msMax = ANSWER_MS_MAX): Promise<T> {
  const answer = await fetch(`${adminUrl}${path}`, {
    method,
    ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(msMax),
  })
  const text = await answer.text()
  if (answer.ok) return (text === '' ? undefined : JSON.parse(text)) as T
  throw new Error(messageOf(text) ?? `Restate answered ${answer.status} to ${method} ${path}`)
}

function messageOf(text: string): string | undefined {
  try {
    return (JSON.parse(text) as { message?: string }).message
  } catch {
    return undefined
  }
}
