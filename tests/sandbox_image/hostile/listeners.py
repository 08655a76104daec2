"""What listens outside of the sandbox, to see who comes."""

import contextlib
import os
import selectors
import socket
import threading
from pathlib import Path

_LONGEST = 65_536


class Listeners:
    """Sockets of several kinds; whatever is sent to one of them is remembered.

    Args:
        directory: Where those that have a path are.
    """

    def __init__(self, directory: Path) -> None:
        self.received = b""
        self.stream_path = str(directory / "stream")
        self.datagram_path = str(directory / "datagrams")
        self.abstract_name = f"training-sandbox-hostile-{os.getpid()}-{directory.name}"
        self._selector = selectors.DefaultSelector()
        self.tcp_port = self._listen(socket.AF_INET, ("127.0.0.1", 0)).getsockname()[1]
        self.udp_port = self._bind(socket.AF_INET, ("127.0.0.1", 0)).getsockname()[1]
        self._listen(socket.AF_UNIX, self.stream_path)
        self._listen(socket.AF_UNIX, f"\0{self.abstract_name}")
        self._bind(socket.AF_UNIX, self.datagram_path)
        with contextlib.suppress(OSError):
            icmp = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
            self._selector.register(icmp, selectors.EVENT_READ)
        netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_USERSOCK)
        netlink.bind((0, 0))
        self._selector.register(netlink, selectors.EVENT_READ)
        self.netlink_port = netlink.getsockname()[0]
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ending.set()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()

    def _listen(self, family: int, address: object) -> socket.socket:
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.bind(address)
        listening.listen()
        self._selector.register(listening, selectors.EVENT_READ, "listening")
        return listening

    def _bind(self, family: int, address: object) -> socket.socket:
        bound = socket.socket(family, socket.SOCK_DGRAM)
        bound.bind(address)
        self._selector.register(bound, selectors.EVENT_READ)
        return bound

    def _receive(self) -> None:
        while not self._ending.is_set():
            for key, _ in self._selector.select(0.05):
                if key.data == "listening":
                    connection, _ = key.fileobj.accept()
                    self._selector.register(connection, selectors.EVENT_READ)
                    continue
                content = key.fileobj.recv(_LONGEST)
                self.received = (self.received + content)[-_LONGEST:]
                if not content:
                    self._selector.unregister(key.fileobj)
                    key.fileobj.close()
