"""Sockets of every kind."""

from tests.sandbox_image.hostile.case import Case
from tests.sandbox_image.hostile.oracles import (
    has_a_listening_port,
    has_a_new_socket,
    holds,
    reached_a_listener,
)

CASES = [
    Case(
        "tcp-connection",
        """
        def connect():
            spare.append(socket.create_connection(('127.0.0.1', known['tcp_port']), 5))
            spare[-1].sendall(str(known['nonce']).encode())
        attempt(connect)
        """,
        reached_a_listener,
    ),
    Case(
        "tcp-fast-open",
        """
        def connect():
            spare.append(socket.socket())
            address = ('127.0.0.1', known['tcp_port'])
            spare[-1].sendto(str(known['nonce']).encode(), 0x20000000, address)
        attempt(connect)
        """,
        reached_a_listener,
    ),
    Case(
        "tcp-server",
        """
        attempt(lambda: spare.append(socket.create_server(('127.0.0.1', 0))))
        hold(0.3)
        """,
        has_a_listening_port,
    ),
    Case(
        "udp-datagram",
        """
        def send():
            spare.append(socket.socket(type=socket.SOCK_DGRAM))
            content = str(known['nonce']).encode()
            spare[-1].sendto(content, ('127.0.0.1', known['udp_port']))
        attempt(send)
        """,
        reached_a_listener,
    ),
    Case(
        "raw-packet",
        """
        def send():
            spare.append(socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))
            content = struct.pack('!BBHHH', 13, 0, 0, 1, 1) + str(known['nonce']).encode()
            spare[-1].sendto(content, ('127.0.0.1', 0))
        attempt(send)
        """,
        reached_a_listener,
        needs=("root",),
    ),
    Case(
        "netlink-message",
        """
        def send():
            spare.append(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 2))
            content = str(known['nonce']).encode()
            header = struct.pack('=IHHII', 16 + len(content), 16, 0, 0, 0)
            spare[-1].sendto(header + content, (known['netlink_port'], 0))
        attempt(send)
        """,
        reached_a_listener,
    ),
    Case(
        "unix-stream-by-path",
        """
        def connect():
            spare.append(socket.socket(socket.AF_UNIX))
            spare[-1].connect(known['stream_path'])
            spare[-1].sendall(str(known['nonce']).encode())
        attempt(connect)
        """,
        reached_a_listener,
    ),
    Case(
        "unix-datagram-from-a-socket-pair",
        """
        def send(function):
            ours, theirs = socket.socketpair(type=socket.SOCK_DGRAM)
            spare.extend((ours, theirs))
            function(ours, str(known['nonce']).encode(), known['datagram_path'])
        attempt(
            lambda: send(lambda ours, content, path: ours.sendto(content, path)),
            lambda: send(lambda ours, content, path: ours.sendmsg([content], [], 0, path)),
            lambda: send(lambda ours, content, path: (ours.connect(path), ours.send(content))),
        )
        """,
        reached_a_listener,
    ),
    Case(
        "sockets-of-all-families",
        """
        kinds = [socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET]
        opened = []
        for family in range(1, 47):
            for kind in kinds:
                try:
                    spare.append(socket.socket(family, kind))
                    opened.append((family, kind))
                except OSError:
                    pass
        print(opened)
        hold(0.3)
        """,
        has_a_new_socket,
    ),
    Case(
        "socket-by-a-call-of-32-bits",
        """
        # int 0x80 with eax=359 (socket), ebx=AF_INET, ecx=SOCK_DGRAM, edx=0; rbx is the caller's.
        machine_code = bytes.fromhex('53b867010000bb02000000b90200000031d2cd805bc3')
        page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        page.write(machine_code)
        address = ctypes.addressof(ctypes.c_char.from_buffer(page))
        print(ctypes.CFUNCTYPE(ctypes.c_int)(address)())
        hold(0.3)
        """,
        has_a_new_socket,
        needs=("calls of 32 bits",),
    ),
    Case(
        "io-uring",
        """
        parameters = ctypes.create_string_buffer(120)
        attempt(lambda: spare.append(system_call(425, 425, 8, parameters)))
        hold(0.3)
        """,
        holds("io_uring"),
        needs=("io_uring",),
    ),
]
