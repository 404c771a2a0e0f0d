import { setTimeout as sleep } from 'node:timers/promises'
import { context, propagation, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { setGlobalErrorHandler, W3CTraceContextPropagator } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, ParentBasedSampler, TraceIdRatioBasedSampler, TracerProvider } from '@opentelemetry/sdk-trace'
import type { HooksProvider } from '@restatedev/restate-sdk'
import { openTelemetryHook } from '@restatedev/restate-sdk-opentelemetry'
import { statementSpans } from './statement-spans.ts'
import type { Tracing } from './tracing.ts'

const STOP_MS_MAX = 2_000

/** Twice the length of the longest statement. */
const ATTRIBUTE_CHARACTERS_MAX = 8_192

export interface OpenTelemetryOptions {
  /** Address for traces of an OTLP receiver over HTTP. Headers and timeout come from the standard's environment variables. */
  url: string
  /** Name of the process. */
  name: string
  /** Share of the traces that begin here and are kept. A caller's decision takes precedence. */
  ratio: number
  /** Called when traces are dropped because they cannot be sent. */
  onProblem: (error: unknown) => void
}

/** Sends the traces of this process, and propagates their context through asynchronous work and W3C headers. */
export async function startOpenTelemetry({ url, name, ratio, onProblem }: OpenTelemetryOptions): Promise<Tracing> {
  const configured = detectResources({ detectors: [envDetector] })
  const provider = new TracerProvider({
    resource: defaultResource()
      .merge(resourceFromAttributes({ 'service.name': name }))
      .merge(configured),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
    spanLimits: { attributeValueLengthLimit: ATTRIBUTE_CHARACTERS_MAX },
    spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter({ url }) })],
  })
  setGlobalErrorHandler(onProblem)
  context.setGlobalContextManager(new AsyncLocalStorageContextManager())
  propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  trace.setGlobalTracerProvider(provider)
  return {
    isOn: true,
    hooks: [namedSteps(openTelemetryHook({ tracer: provider.getTracer('footfall-endpoint') }))],
    store: { queried: statementSpans(provider.getTracer('footfall-store')) },
    // With a deadline, because an unreachable receiver must not delay the end of the process.
    stop: () => Promise.race([provider.shutdown(), sleep(STOP_MS_MAX, undefined, { ref: false })]),
  }
}

/** Drops the spans of steps without a name, which only read the clock and take no time. */
function namedSteps(provider: HooksProvider): HooksProvider {
  return (attempt) => {
    const { handler, run } = provider(attempt).interceptor ?? {}
    return {
      interceptor: {
        ...(handler && { handler }),
        ...(run && { run: (name, next) => (name === '' ? next() : run(name, next)) }),
      },
    }
  }
}
