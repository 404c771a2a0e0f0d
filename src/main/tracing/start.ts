import type { Config } from '../config/config.ts'
import type { Tracing } from './tracing.ts'

const OFF: Tracing = { isOn: false, hooks: [], store: {}, stop: async () => undefined }

/** Loads OpenTelemetry only when there is somebody to send traces to. */
export async function startTracing(config: Config, name: string, onProblem: (error: unknown) => void): Promise<Tracing> {
  const url = tracesUrlOf(config)
  if (url === undefined) return OFF
  const { startOpenTelemetry } = await import('./open-telemetry.ts')
  return startOpenTelemetry({ url, name, ratio: config.OTEL_TRACES_SAMPLER_ARG, onProblem })
}

/** What makes restate-server send its own spans to the same receiver, and the same part of its own traces. */
export function restateTracing(config: Config): Record<string, string> {
  const url = tracesUrlOf(config)
  if (url === undefined) return {}
  return {
    RESTATE_TRACING_ENDPOINT: `otlp+${url}`,
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: String(config.OTEL_TRACES_SAMPLER_ARG),
  }
}

/** Where traces go, by the standard's rule for a base address; undefined when they are off. */
function tracesUrlOf(config: Config): string | undefined {
  const base = config.OTEL_EXPORTER_OTLP_ENDPOINT
  return base === undefined ? undefined : `${base.replace(/\/$/, '')}/v1/traces`
}
