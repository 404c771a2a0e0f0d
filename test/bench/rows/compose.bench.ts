import { composeProject } from '../../containers/compose.ts'
import { type Claim, formatted, type RowResult } from '../measure/claim.ts'

const ROUNDS = 3
const UP = 'docker compose up --detach --wait'

/** The time of `docker compose up` until all services are ready, with built images. Needs Docker. */
export async function compose(isQuick: boolean): Promise<RowResult> {
  const project = await composeProject()
  const timed = async (commands: string) => {
    const startMs = performance.now()
    await project.shell(commands)
    return (performance.now() - startMs) / 1_000
  }
  try {
    await project.shell('sh ops/make-secrets.sh && docker compose build')
    const first: number[] = []
    const withData: number[] = []
    for (let round = 0; round < (isQuick ? 1 : ROUNDS); round++) {
      first.push(await timed(UP))
      await project.shell('docker compose down')
      withData.push(await timed(UP))
      await project.shell('docker compose down --volumes')
    }
    return { claims: [claimOf('without data', first), claimOf('with data', withData)], measured: { first, withData } }
  } finally {
    await project.remove()
  }
}

function claimOf(how: string, seconds: number[]): Claim {
  return {
    what: `${UP}, images present, ${how}: the longest of ${seconds.length}`,
    measured: Math.max(...seconds),
    unit: 's',
    detail: seconds.map((value) => `${formatted(value)} s`).join(', '),
  }
}
