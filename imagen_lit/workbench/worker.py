"""One drawing after another, in a thread of their own, so that the page answers meanwhile."""

import queue
import threading
import traceback
from collections.abc import Callable, Iterable
from typing import Any

from imagen_lit.basics.errors import InputError, UserError
from imagen_lit.workbench.drawing import Drawing, Stopped

MOST_WAITING = 16
REMEMBERED = 40  # drawings whose events are there for a page that was reloaded


class Worker:
    """Calls what draws, and puts what goes wrong into the drawing: the next one is drawn."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[tuple[Drawing, Callable[[], None]]] = queue.Queue(MOST_WAITING)
        self._drawings: dict[int, Drawing] = {}
        threading.Thread(target=self._work, daemon=True).start()

    def put(self, drawing: Drawing, draw: Callable[[], None]) -> None:
        """Draw it when those before are drawn."""
        try:
            self._waiting.put_nowait((drawing, draw))
        except queue.Full:
            raise InputError(
                f"{MOST_WAITING} images are waiting already. Stop one, or wait."
            ) from None
        self._drawings[drawing.number] = drawing
        for number in [*self._drawings][:-REMEMBERED]:
            if self._drawings[number].is_over:
                del self._drawings[number]

    def drawing(self, number: int) -> Drawing | None:
        """The one of this number, if it is remembered."""
        return self._drawings.get(number)

    def stop(self, numbers: Iterable[Any]) -> None:
        """Stop those of these numbers, whether they are drawn or wait."""
        for number in numbers:
            if drawing := self._drawings.get(number):
                drawing.is_unwanted = True

    def _work(self) -> None:
        while True:
            drawing, draw = self._waiting.get()
            try:
                if drawing.is_unwanted:
                    raise Stopped
                draw()
            except Stopped:
                drawing.add("stopped")
            except (UserError, OSError) as error:
                drawing.add("failed", words=str(error))
            except Exception as error:  # a bug of ours must not end the page
                traceback.print_exc()
                drawing.add("failed", words=f"{type(error).__name__}: {error}")
