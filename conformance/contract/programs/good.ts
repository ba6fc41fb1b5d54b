// A program that keeps the contract: everything that a page does with it.
import { io } from "socket.io-client";
import type { Action, ClientToServerEvents, FixtureSocket, Namespace, NoteIn, SaveError, ServerToClientEvents, Shape } from "contract";

const namespace: Namespace = "/";
const socket: FixtureSocket = io(namespace, { autoConnect: false });

socket.on("connect", () => socket.emit("nothing"));
socket.on("disconnect", (reason) => reason.toUpperCase());
socket.on("new note", (from, note) => {
  const text: string = from + note.title;
  // what is written is whole, whatever may be left out of what is read
  const points: number = note.points.length + (note.parent?.points.length ?? 0);
  if (note.points[0]?.color === "dark_blue") console.log(text, points);
});
socket.on("how are you?", (hour, ack) => ack(hour < 12 ? "tired" : "fine"));
socket.on("contract:error", ({ event, at, message }) => console.error(event.trim(), at.trim(), message.trim()));

socket.emit("text", "hello");
socket.emit("number", 7);
socket.emit("signed number", -7);
socket.emit("color", "dark_blue");
socket.emit("point", { x: 1, y: 2 });
socket.emit("point", { x: 1, y: 2, color: "red" });
const shapes: Shape[] = ["dot", { circle: { radius: 1.5 } }, { line: [{ x: 0, y: 0 }, { x: 1, y: 1 }] }];
for (const shape of shapes) socket.emit("shape", shape);
const actions: Action[] = [{ kind: "undo" }, { kind: "move", to: { x: 1, y: 1 } }];
for (const action of actions) socket.emit("action", action);
socket.emit("change", { kind: "count", data: 7 });
socket.emit("change", { kind: "reset" });
socket.emit("key", 7);
socket.emit("key", "seven");
socket.emit("big", String(2n ** 64n - 1n));
socket.emit("pair", [1, "one"]);
socket.emit("ages", { ann: 30, bob: 40 });
socket.emit("rows", { 7: [1, -1] });
socket.emit("file", "name", new Uint8Array([1, 2, 3]));
socket.emit("file", "name", new ArrayBuffer(3));
// what may be missing at the end may be left out
socket.emit("two", 1);
socket.emit("two", 1, null);
socket.emit("two", 1, true);
const note: NoteIn = { title: "t", lineCount: 1, parent: { title: "p", lineCount: 0 } };
socket.emit("note", note);

const why = (error: SaveError): string => {
  switch (error.code) {
    case "taken":
      return error.by;
    case "full":
      return "full";
  }
};
socket.emit("save", note, (answer) => {
  if (answer.ok) {
    const id: number = answer.value.id;
    console.log(id, answer.value.by);
  } else if (answer.error.code === "invalid") {
    console.error(answer.error.at, answer.error.message);
  } else {
    console.error(why(answer.error));
  }
});
socket.emit("rename", "ann", "red", (answer) => {
  if (!answer.ok && typeof answer.error === "string") console.error(answer.error);
});
socket.emit("done", 7, () => {});

async function later(): Promise<number> {
  const length: number = await socket.emitWithAck("length", "text");
  const answer = await socket.timeout(1000).emitWithAck("ask");
  return answer.ok ? answer.value.length + length : 0;
}
socket.volatile.emit("flag", true);
socket.timeout(1000).emit("length", "text", (error, length) => console.log(error?.message, length + 1));
void later();

// The generics by themselves fit a socket of any other name.
const events: [keyof ClientToServerEvents, keyof ServerToClientEvents] = ["letter", "new note"];
console.log(events);
