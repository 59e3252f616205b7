"""A packet-level SCTP peer, built with scapy's decoder and checksum, against an admin server in UDP.

Each check prints one line: "ok NAME" or "not ok NAME: reason". The last line is "done".

usage: packet_peer.py SCTP_PORT UDP_PORT
"""

import random
import socket
import struct
import sys

from scapy.layers.sctp import (
    SCTP,
    SCTPChunkAbort,
    SCTPChunkCookieAck,
    SCTPChunkCookieEcho,
    SCTPChunkData,
    SCTPChunkHeartbeatAck,
    SCTPChunkHeartbeatReq,
    SCTPChunkInit,
    SCTPChunkInitAck,
    SCTPChunkParamHeartbeatInfo,
    SCTPChunkParamStateCookie,
    SCTPChunkSACK,
    SCTPChunkShutdown,
    SCTPChunkShutdownAck,
    SCTPChunkShutdownComplete,
    crc32c,
)

PORT, UDP_PORT = (int(text) for text in sys.argv[1:3])
LOGIN = b"\x01\x04root\x06secret"
WAIT_S = 5.0
# How long silence must last to count. Nothing that we provoke is delayed: our peer's timers start at 200 ms.
SILENCE_S = 0.15
ERROR = 9
T_BIT = 1


def check(name, action):
    try:
        action()
        print(f"ok {name}", flush=True)
    except Exception as fault:  # whatever it is, the other checks go on
        print(f"not ok {name}: {type(fault).__name__} {fault}", flush=True)


def expect(found, wanted):
    if found != wanted:
        raise AssertionError(f"found {found!r}, wanted {wanted!r}")


def raw_chunk(kind, value=b"", flags=0):
    body = struct.pack(">BBH", kind, flags, 4 + len(value)) + value
    return body + bytes(-len(body) % 4)


def with_checksum(packet):
    """The packet with scapy's own checksum."""
    zeroed = packet[:8] + bytes(4) + packet[12:]
    return packet[:8] + struct.pack(">I", crc32c(zeroed)) + packet[12:]


class Peer:
    """One UDP port and the SCTP state of a client, as little of it as the checks need."""

    def __init__(self, tsn=None):
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.connect(("127.0.0.1", UDP_PORT))
        self.port = random.randint(1024, 65535)
        self.tag = random.randint(1, 2**32 - 1)
        self.tsn = random.getrandbits(32) if tsn is None else tsn
        self.peer_tag = 0
        self.peer_tsn = 0
        self.sequence = 0

    def send_bytes(self, packet):
        self.udp.send(packet)

    def send(self, chunks, tag=None):
        """Sends chunks, made by scapy or as bytes, in one packet."""
        body = b"".join(bytes(chunk) for chunk in chunks)
        header = struct.pack(">HHII", self.port, PORT, self.peer_tag if tag is None else tag, 0)
        self.send_bytes(with_checksum(header + body))

    def receive(self):
        """The next packet, decoded by scapy, with the checksum and the ports verified."""
        self.udp.settimeout(WAIT_S)
        data = self.udp.recv(65535)
        expect(with_checksum(data), data)
        packet = SCTP(data)
        expect((packet.sport, packet.dport), (PORT, self.port))
        return packet

    def wait_for(self, layer):
        """The next packet that holds `layer`, and that layer."""
        while True:
            packet = self.receive()
            if packet.haslayer(layer):
                return packet, packet[layer]

    def expect_silence(self):
        self.udp.settimeout(SILENCE_S)
        try:
            data = self.udp.recv(65535)
        except TimeoutError:
            return
        raise AssertionError(f"wanted silence, found {SCTP(data).summary()}")

    def init(self, **fields):
        values = {"init_tag": self.tag, "a_rwnd": 65536, "n_out_streams": 1, "n_in_streams": 1, **fields}
        return SCTPChunkInit(init_tsn=self.tsn, **values)

    def handshake(self, payload=None):
        """INIT to COOKIE ACK, with DATA behind COOKIE ECHO where there is a payload."""
        self.send([self.init()], tag=0)
        packet, answer = self.wait_for(SCTPChunkInitAck)
        expect(packet.tag, self.tag)
        self.peer_tag, self.peer_tsn = answer.init_tag, answer.init_tsn
        cookie = next(p for p in answer.params if isinstance(p, SCTPChunkParamStateCookie)).cookie
        bundled = [] if payload is None else [self.data(payload)]
        self.send([SCTPChunkCookieEcho(cookie=cookie), *bundled])
        self.wait_for(SCTPChunkCookieAck)

    def data(self, payload, tsn=None):
        chunk = SCTPChunkData(beginning=1, ending=1, tsn=self.tsn if tsn is None else tsn, stream_id=0,
                              stream_seq=self.sequence, proto_id=0, data=payload)
        if tsn is None:
            self.tsn = (self.tsn + 1) % 2**32
            self.sequence += 1
        return chunk

    def read_reply(self):
        """The payload of the next DATA, acknowledged."""
        packet, data = self.wait_for(SCTPChunkData)
        payload = bytes(data.data)[: data.len - 16]
        self.acknowledge(data.tsn)
        return payload

    def acknowledge(self, tsn):
        self.send([SCTPChunkSACK(cumul_tsn_ack=tsn, a_rwnd=65536)])

    def log_in(self):
        self.handshake()
        self.send([self.data(LOGIN)])
        expect(self.read_reply(), b"\x01\x00")

    def ask(self):
        """A request, its response, and the server's shutdown to the end."""
        self.send([self.data(b"\x01\x00")])
        expect(self.read_reply(), b"\x01\x017")
        self.finish()

    def finish(self):
        while True:
            packet = self.receive()
            if packet.haslayer(SCTPChunkShutdown):
                break
        self.send([SCTPChunkShutdownAck()])
        self.wait_for(SCTPChunkShutdownComplete)

    def abort(self):
        self.send([SCTPChunkAbort()])


def conversation():
    peer = Peer()
    peer.log_in()
    peer.ask()


def tsn_wraps():
    """The serial numbers of our DATA pass 2^32 in the middle of the conversation."""
    peer = Peer(tsn=0xFFFFFFFE)
    peer.handshake()
    for part in (LOGIN[:3], LOGIN[3:7], LOGIN[7:]):
        peer.send([peer.data(part)])
    expect(peer.read_reply(), b"\x01\x00")
    peer.ask()


def data_behind_the_cookie():
    peer = Peer()
    peer.handshake(LOGIN)
    expect(peer.read_reply(), b"\x01\x00")
    peer.ask()


def out_of_order():
    """The second half before the first: a gap is reported, then closed."""
    peer = Peer()
    peer.handshake()
    first, second = peer.data(LOGIN[:6]), peer.data(LOGIN[6:])
    peer.send([second])
    _, sack = peer.wait_for(SCTPChunkSACK)
    expect((sack.cumul_tsn_ack, sack.n_gap_ack), ((first.tsn - 1) % 2**32, 1))
    peer.send([first])
    _, sack = peer.wait_for(SCTPChunkSACK)
    expect((sack.cumul_tsn_ack, sack.n_gap_ack), (second.tsn, 0))
    expect(peer.read_reply(), b"\x01\x00")
    peer.ask()


def duplicates():
    peer = Peer()
    peer.handshake()
    half = peer.data(LOGIN[:6])
    peer.send([half])
    peer.wait_for(SCTPChunkSACK)
    peer.send([half])
    _, sack = peer.wait_for(SCTPChunkSACK)
    expect((sack.n_dup_tsn, sack.cumul_tsn_ack), (1, half.tsn))
    peer.send([peer.data(LOGIN[6:])])
    expect(peer.read_reply(), b"\x01\x00")
    peer.ask()


def lost_reply():
    """A reply that is not acknowledged comes again, the same."""
    peer = Peer()
    peer.handshake()
    peer.send([peer.data(LOGIN)])
    _, data = peer.wait_for(SCTPChunkData)
    _, again = peer.wait_for(SCTPChunkData)
    expect((again.tsn, bytes(again.data)[:2]), (data.tsn, b"\x01\x00"))
    peer.acknowledge(again.tsn)
    peer.ask()


def heartbeat():
    peer = Peer()
    peer.handshake()
    info = bytes(range(40))
    peer.send([SCTPChunkHeartbeatReq(params=[SCTPChunkParamHeartbeatInfo(data=info)])])
    _, answer = peer.wait_for(SCTPChunkHeartbeatAck)
    expect(bytes(answer.params[0].data), info)
    peer.abort()


def strangers():
    """Wrong tags, wrong checksums and wrong lengths do nothing to an association that stands."""
    peer = Peer()
    peer.log_in()
    wrong = (peer.peer_tag + 1) % 2**32
    for chunks in ([SCTPChunkAbort()], [SCTPChunkShutdown(cumul_tsn_ack=peer.peer_tsn)], [peer.data(b"\x02\x00", peer.tsn)]):
        peer.send(chunks, tag=wrong)
        peer.expect_silence()
    header = struct.pack(">HHII", peer.port, PORT, peer.peer_tag, 0)
    damaged = bytearray(with_checksum(header + bytes(SCTPChunkAbort())))
    damaged[8] ^= 1
    for packet in (bytes(damaged), b"", b"x", with_checksum(header), with_checksum(header + b"\0\0\0\0"),
                   with_checksum(header + struct.pack(">BBH", 0, 3, 60000))):
        peer.send_bytes(packet)
    peer.ask()


def another_port():
    """A packet of a live association with the right tag, but an INIT from another UDP port, takes nothing over."""
    peer, thief = Peer(), Peer()
    peer.log_in()
    thief.port = peer.port
    thief.send([thief.init()], tag=0)
    try:
        thief.udp.settimeout(SILENCE_S)
        thief.udp.recv(65535)
    except TimeoutError:
        pass
    peer.ask()


def unknown_chunks():
    """The two upper bits of an unknown chunk say: stop or go on, and whether to report."""
    for kind, goes_on, reports in ((0x3D, False, False), (0x7D, False, True), (0xBD, True, False), (0xFD, True, True)):
        peer = Peer()
        peer.handshake()
        chunk = raw_chunk(kind, b"what")
        peer.send([chunk, peer.data(LOGIN, peer.tsn)])
        packets = []
        while True:
            peer.udp.settimeout(SILENCE_S + 0.25)
            try:
                packets.append(peer.udp.recv(65535))
            except TimeoutError:
                break
            packet = SCTP(packets[-1])
            if packet.haslayer(SCTPChunkData):
                peer.acknowledge(packet[SCTPChunkData].tsn)
        kinds = {data[at] for data in packets for at in chunk_offsets(data)}
        expect((hex(kind), ERROR in kinds), (hex(kind), reports))
        expect((hex(kind), 0 in kinds), (hex(kind), goes_on))
        peer.abort()


def chunk_offsets(packet):
    at = 12
    while at + 4 <= len(packet):
        yield at
        at += (struct.unpack(">H", packet[at + 2 : at + 4])[0] + 3) & ~3


def out_of_the_blue():
    peer = Peer()
    tag = random.randint(1, 2**32 - 1)
    peer.send([peer.data(LOGIN)], tag=tag)
    packet, abort = peer.wait_for(SCTPChunkAbort)
    expect((packet.tag, bytes(abort)[1] & T_BIT), (tag, T_BIT))
    peer.send([SCTPChunkShutdownAck()], tag=tag)
    packet, complete = peer.wait_for(SCTPChunkShutdownComplete)
    expect((packet.tag, bytes(complete)[1] & T_BIT), (tag, T_BIT))
    for quiet in ([SCTPChunkAbort()], [SCTPChunkShutdownComplete()], [SCTPChunkCookieAck()]):
        peer.send(quiet, tag=tag)
        peer.expect_silence()


def bad_inits():
    peer = Peer()
    peer.send([peer.init(init_tag=0)], tag=0)
    peer.expect_silence()
    peer.send([peer.init(), peer.data(LOGIN)], tag=0)
    peer.expect_silence()
    for fields in ({"a_rwnd": 1499}, {"n_out_streams": 0}, {"n_in_streams": 0}):
        peer.send([peer.init(**fields)], tag=0)
        packet, _ = peer.wait_for(SCTPChunkAbort)
        expect(packet.tag, peer.tag)


def forged_cookies():
    peer = Peer()
    peer.send([peer.init()], tag=0)
    _, answer = peer.wait_for(SCTPChunkInitAck)
    peer.peer_tag = answer.init_tag
    cookie = bytes(next(p for p in answer.params if isinstance(p, SCTPChunkParamStateCookie)).cookie)
    for at in range(0, len(cookie), 8):
        forged = bytearray(cookie)
        forged[at] ^= 0x40
        peer.send([SCTPChunkCookieEcho(cookie=bytes(forged))])
    peer.expect_silence()
    stranger = Peer()
    stranger.port, stranger.peer_tag = peer.port, peer.peer_tag
    stranger.port ^= 1
    stranger.send([SCTPChunkCookieEcho(cookie=cookie)])
    stranger.expect_silence()
    peer.send([SCTPChunkCookieEcho(cookie=cookie)])
    peer.wait_for(SCTPChunkCookieAck)
    peer.abort()


def restart():
    """A client that has forgotten its association begins anew from the same ports."""
    peer = Peer()
    peer.log_in()
    peer.tag, peer.tsn, peer.sequence = peer.tag ^ 0x55AA55, 77, 0
    peer.log_in()
    peer.ask()


def client_closes():
    peer = Peer()
    peer.handshake()
    peer.send([SCTPChunkShutdown(cumul_tsn_ack=(peer.peer_tsn - 1) % 2**32)])
    peer.wait_for(SCTPChunkShutdownAck)
    peer.send([SCTPChunkShutdownComplete()])
    peer.send([peer.data(LOGIN)])
    packet, _ = peer.wait_for(SCTPChunkAbort)
    expect(packet.tag, peer.peer_tag)


check("a conversation, from INIT to SHUTDOWN COMPLETE", conversation)
check("serial numbers that pass 2^32", tsn_wraps)
check("DATA behind COOKIE ECHO", data_behind_the_cookie)
check("DATA out of order", out_of_order)
check("duplicate DATA", duplicates)
check("a reply that was lost", lost_reply)
check("HEARTBEAT is echoed unchanged", heartbeat)
check("wrong tags, checksums and lengths", strangers)
check("INIT from another UDP port", another_port)
check("unknown chunks by their upper bits", unknown_chunks)
check("packets out of the blue", out_of_the_blue)
check("INITs that cannot be", bad_inits)
check("forged and stolen cookies", forged_cookies)
check("a restart", restart)
check("a shutdown by the client", client_closes)
print("done", flush=True)
