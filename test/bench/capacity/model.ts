/** What one event, one request and one durable call cost, in microseconds of one processor. */
export interface ServiceTimes {
  /** Per event, in batches of thousands. */
  gateway: number
  endpoint: number
  restate: number
  record: number
  /** Counting and feeding. In one lane one transaction works at a time, because it holds the most popular products. */
  count: number
  /** What each further lane adds, because every lane reads all events. */
  lane: number
  /** Per request of HTTP. */
  request: number
  /** Per durable call, whatever it holds. */
  call: { endpoint: number; restate: number; postgres: number }
}

/** From the row `cpu` of docs/benchmarks.md, on two processors: its durable calls hold 128 single events, and 3,800 of requests of 1,000. */
export const MEASURED: ServiceTimes = {
  ...{ gateway: 5.5, endpoint: 5.8, restate: 2.2, record: 8, count: 20, lane: 1.4, request: 108 },
  call: { endpoint: 9_200, restate: 11_200, postgres: 11_300 },
}

export interface Machines {
  name: string
  gateways: number
  endpoints: number
  /** Processors that Restate can use, of all its nodes. */
  restateCores: number
  /** Processors of each PostgreSQL that takes writes. */
  postgresCores: number
  /** PostgreSQLs that share the writes. */
  shards: number
  /** Counting transactions of a PostgreSQL that work at once. */
  lanes: number
  /** When all processes share one machine: its processors. */
  sharedCores?: number
}

export const MACHINES: readonly Machines[] = [
  { name: 'A: 8 processors, one of each process', ...shared(8), gateways: 1, endpoints: 1 },
  { name: 'B: the same, 2 gateways, 3 endpoints', ...shared(8), gateways: 2, endpoints: 3 },
  {
    name: 'C: 8 gateways, 8 endpoints, 3 nodes of Restate with 8, PostgreSQL with 32',
    ...{ gateways: 8, endpoints: 8, restateCores: 24, postgresCores: 32, shards: 1, lanes: 1 },
  },
  {
    name: 'D: C with 8 lanes',
    ...{ gateways: 8, endpoints: 8, restateCores: 24, postgresCores: 32, shards: 1, lanes: 8 },
  },
  {
    name: 'E: 32 gateways, 32 endpoints, 8 PostgreSQLs with 8 lanes each (assumed)',
    ...{ gateways: 32, endpoints: 32, restateCores: 96, postgresCores: 32, shards: 8, lanes: 8 },
  },
]

function shared(cores: number) {
  return { restateCores: cores, postgresCores: cores, shards: 1, lanes: 1, sharedCores: cores }
}

export type Stage = 'gateway' | 'endpoint' | 'Restate' | 'PostgreSQL' | 'counting' | 'the machine'

/** How many servers a stage has, and how long one of them works for an event. */
export interface Station {
  stage: Stage
  servers: number
  /** Microseconds. */
  perEvent: number
}

const US = 1e6

/** The stages for events that come `perRequest` in a request and are recorded `perCall` in a durable call. */
export function stationsOf(machines: Machines, times: ServiceTimes, perRequest: number, perCall: number): Station[] {
  const { gateways, endpoints, restateCores, postgresCores, shards, lanes, sharedCores } = machines
  const gateway = times.gateway + times.request / perRequest
  const endpoint = times.endpoint + times.call.endpoint / perCall
  const restate = times.restate + times.call.restate / perCall
  const count = countingOf(machines, times)
  const postgres = times.record + count + times.call.postgres / perCall
  const stations: Station[] = [
    { stage: 'gateway', servers: gateways, perEvent: gateway },
    { stage: 'endpoint', servers: endpoints, perEvent: endpoint },
    { stage: 'Restate', servers: restateCores, perEvent: restate },
    { stage: 'PostgreSQL', servers: postgresCores * shards, perEvent: postgres },
    { stage: 'counting', servers: lanes * shards, perEvent: count },
  ]
  if (sharedCores === undefined) return stations
  return [...stations, { stage: 'the machine', servers: sharedCores, perEvent: gateway + endpoint + restate + postgres }]
}

/** Counting and feeding an event in all lanes. */
export function countingOf({ lanes }: Machines, times: ServiceTimes): number {
  return times.count + (lanes - 1) * times.lane
}

/** The events per second that a stage can take. */
export const capacityOf = ({ servers, perEvent }: Station): number => (servers * US) / perEvent

/** The stages from the first that is full. */
export function bottlenecksOf(stations: readonly Station[]): Station[] {
  return stations.toSorted((one, other) => capacityOf(one) - capacityOf(other))
}

/** What gives a stage more room. */
export const LEVERS: Record<Stage, string> = {
  gateway: 'GATEWAY_PROCESSES',
  endpoint: 'ENDPOINT_PROCESSES',
  Restate: 'more processors, then nodes',
  PostgreSQL: 'more processors, then shards',
  counting: '`footfall lanes`',
  'the machine': 'a machine of its own for each process',
}

/** Events of one day at a peak of three times the mean. */
export const perDay = (perSecond: number): number => (perSecond / 3) * 86_400
