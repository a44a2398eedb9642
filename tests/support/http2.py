# SPDX-License-Identifier: Apache-2.0
"""Just enough HTTP/2 (RFC 9113) to misbehave in it: frames, header blocks without compression, and a request whose body waits for
flow control as a well-behaved client's does."""
import socket
import struct
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 7, 8, 9
END_STREAM, END_HEADERS = 0x1, 0x4
FRAME_BYTES_MAX = 16384


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


GREETING = PREFACE + frame(SETTINGS, 0, 0)


def length(number: int) -> bytes:
    """An HPACK integer with a 7-bit prefix (RFC 7541, 5.1)."""
    if number < 127:
        return bytes([number])
    encoded, number = bytearray([127]), number - 127
    while number >= 128:
        encoded.append(number % 128 + 128)
        number //= 128
    return bytes(encoded) + bytes([number])


def header(name: str, value: str) -> bytes:
    return b"\x00" + length(len(name)) + name.encode() + length(len(value)) + value.encode()


def request_headers(path: str) -> bytes:
    fields = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "x", "content-type": "application/grpc", "te": "trailers"}
    return b"".join(header(name, value) for name, value in fields.items())


def read_frames(connection: socket.socket, buffer: bytearray) -> list:
    """The whole frames that have come so far, as (kind, flags, stream, payload)."""
    received = connection.recv(65536)
    if not received:
        raise ConnectionError("closed")
    buffer += received
    frames = []
    while len(buffer) >= 9 and len(buffer) >= 9 + int.from_bytes(buffer[:3], "big"):
        size = int.from_bytes(buffer[:3], "big")
        frames.append((buffer[3], buffer[4], int.from_bytes(buffer[5:9], "big"), bytes(buffer[9:9 + size])))
        del buffer[:9 + size]
    return frames


def send_request(connection: socket.socket, path: str, message: bytes, timeout_s: float = 60) -> str:
    """One gRPC call; returns how the server ended it: `answered`, `reset`, `goaway` or `closed`."""
    body = b"\x00" + struct.pack(">I", len(message)) + message
    window = {"connection": 65535, "stream": 65535}
    buffer, sent, end = bytearray(), 0, time.monotonic() + timeout_s
    try:
        connection.sendall(GREETING + frame(HEADERS, END_HEADERS, 1, request_headers(path)))
        connection.settimeout(timeout_s)
        while time.monotonic() < end:
            while sent < len(body) and min(window.values()) > 0:
                size = min(FRAME_BYTES_MAX, len(body) - sent, *window.values())
                connection.sendall(frame(DATA, END_STREAM if sent + size == len(body) else 0, 1, body[sent:sent + size]))
                sent += size
                window = {name: left - size for name, left in window.items()}
            for kind, flags, stream, payload in read_frames(connection, buffer):
                if kind == GOAWAY:
                    return "goaway"
                if kind == RST_STREAM:
                    return "reset"
                if kind == HEADERS and flags & END_STREAM:
                    return "answered"
                if kind == WINDOW_UPDATE:
                    window["stream" if stream else "connection"] += int.from_bytes(payload, "big")
                if kind == SETTINGS and not flags & 1:
                    for i in range(0, len(payload), 6):
                        if payload[i:i + 2] == b"\x00\x04":
                            window["stream"] += int.from_bytes(payload[i + 2:i + 6], "big") - 65535
                    connection.sendall(frame(SETTINGS, 1, 0))
    except OSError:
        return "closed"
    raise AssertionError(f"{path}: no end of the call after {timeout_s} s, {sent} bytes sent")
