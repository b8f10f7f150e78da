/**
 * What a running leaf counts, as Prometheus text (`/metrics`). Names end in their unit; labels have few
 * values: an operation is one of the xfer kinds, never a user or an address.
 */
import { Counter, Gauge, Histogram, Registry } from "prom-client";

/** Facts about one served exchange. Sizes in bytes, `seconds` from arrival to reply. */
export interface ExchangeFacts {
  /** What the request was for: `clone`, `pull`, `push`, `sync`, `uv`, `config`, `ping`, `invalid` … */
  readonly operation: string;
  readonly transport: "http" | "nats" | "iroh" | "memory";
  readonly artifactsReceived: number;
  readonly artifactsSent: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** `error` cards in the reply, or 1 when there was none because the request was refused whole. */
  readonly errors: number;
  readonly seconds: number;
}

export interface Telemetry {
  record(facts: ExchangeFacts): void;
  /** The Prometheus exposition format, version 0.0.4. */
  text(): Promise<string>;
  readonly contentType: string;
}

export interface TelemetryOptions {
  readonly version: string;
  /** Read when the text is asked for. */
  readonly gauges?: Readonly<Record<string, { readonly help: string; read(): number }>>;
  /** Exchanges turned away so far, by reason. Read when the text is asked for. */
  readonly refusals?: () => ReadonlyMap<string, number>;
}

export function createTelemetry(options: TelemetryOptions): Telemetry {
  const registry = new Registry();
  const registers = [registry];
  const counter = (name: string, help: string, ...extra: string[]) =>
    new Counter({ name, help, labelNames: ["operation", "transport", ...extra], registers });
  const requests = counter("edgesync_requests_total", "Exchanges served, one per sync round.");
  const artifacts = counter("edgesync_artifacts_total", "Artifacts received and sent.", "direction");
  const bytes = counter("edgesync_bytes_total", "Message bytes as they travelled, compressed.", "direction");
  const errors = counter("edgesync_errors_total", "Error cards sent and requests refused.");
  const seconds = new Histogram({
    name: "edgesync_request_duration_seconds",
    help: "Time from a whole request to its reply.",
    labelNames: ["operation", "transport"],
    buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30],
    registers,
  });
  new Gauge({ name: "edgesync_build_info", help: "Always 1.", labelNames: ["version"], registers })
    .labels(options.version)
    .set(1);
  for (const [name, gauge] of Object.entries(options.gauges ?? {})) {
    new Gauge({
      name,
      help: gauge.help,
      registers,
      collect() {
        this.set(gauge.read());
      },
    });
  }
  const { refusals } = options;
  if (refusals !== undefined) {
    new Counter({
      name: "edgesync_http_refused_total",
      help: "HTTP exchanges turned away because too many were served, by reason.",
      labelNames: ["reason"],
      registers,
      collect() {
        this.reset();
        for (const [reason, count] of refusals()) this.inc({ reason }, count);
      },
    });
  }
  return {
    record(facts) {
      const { operation, transport } = facts;
      requests.inc({ operation, transport });
      artifacts.inc({ operation, transport, direction: "received" }, facts.artifactsReceived);
      artifacts.inc({ operation, transport, direction: "sent" }, facts.artifactsSent);
      bytes.inc({ operation, transport, direction: "received" }, facts.bytesReceived);
      bytes.inc({ operation, transport, direction: "sent" }, facts.bytesSent);
      if (facts.errors > 0) errors.inc({ operation, transport }, facts.errors);
      seconds.observe({ operation, transport }, facts.seconds);
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
