import { dlopen, FFIType, ptr } from "bun:ffi";
import { describe, expect, test } from "bun:test";
import { concat, text, utf8 } from "../src/bytes.ts";
import { notifySystemd } from "../src/systemd.ts";
import { TempDir } from "./temp-dir.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;

/** A unix datagram socket bound to `name`, as systemd has one. Bun has none of its own. */
function datagramSocket(name: Uint8Array) {
  const libc = dlopen("libc.so.6", {
    socket: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
    bind: { args: [FFIType.i32, FFIType.ptr, FFIType.u32], returns: FFIType.i32 },
    recv: { args: [FFIType.i32, FFIType.ptr, FFIType.u64, FFIType.i32], returns: FFIType.i64 },
    close: { args: [FFIType.i32], returns: FFIType.i32 },
  });
  const address = concat([new Uint8Array(Uint16Array.of(AF_UNIX).buffer), name]);
  const fd = libc.symbols.socket(AF_UNIX, SOCK_DGRAM, 0);
  expect(libc.symbols.bind(fd, ptr(address), address.length)).toBe(0);
  return {
    receive(): string {
      const buffer = new Uint8Array(1000);
      const length = Number(libc.symbols.recv(fd, ptr(buffer), buffer.length, 0));
      return text(buffer.subarray(0, length));
    },
    [Symbol.dispose]() {
      libc.symbols.close(fd);
      libc.close();
    },
  };
}

describe.skipIf(process.platform !== "linux")("systemd", () => {
  test("is told through the socket it names", () => {
    using dir = new TempDir("notify");
    using socket = datagramSocket(utf8(dir.join("socket")));
    expect(notifySystemd("READY=1\nSTATUS=all well", dir.join("socket"))).toBe(true);
    expect(socket.receive()).toBe("READY=1\nSTATUS=all well");
  });

  test("is told through an abstract socket", () => {
    const name = `edgesync-test-${process.pid}`;
    using socket = datagramSocket(utf8(`\0${name}`));
    expect(notifySystemd("STOPPING=1", `@${name}`)).toBe(true);
    expect(socket.receive()).toBe("STOPPING=1");
  });

  test("nobody there is no error", () => {
    expect(notifySystemd("READY=1", "")).toBe(false);
    expect(notifySystemd("READY=1", "/nonexistent/socket")).toBe(false);
    expect(notifySystemd("READY=1", `/${"x".repeat(200)}`)).toBe(false);
  });
});
