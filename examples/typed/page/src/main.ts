// The page of the whiteboard. What it says and hears is in `whiteboard.ts`, which is written from the server's source: a
// misspelt event or a field that is not there does not compile.
import { io } from 'socket.io-client';
import type { Color, Namespace, Person, Point, Stroke, WhiteboardSocket } from './whiteboard';

const NAMESPACE: Namespace = '/whiteboard';
const COLORS: Record<Color, string> = {
  ink: '#1d2430',
  red: '#d1392b',
  green: '#2d8a4e',
  blue: '#2467c9',
  yellow: '#e3a81c',
};
// The server takes no more points at once.
const MOST_POINTS = 256;

const socket: WhiteboardSocket = io(NAMESPACE);
const board = element('board', HTMLCanvasElement);
const context = board.getContext('2d')!;
const hello = element('hello', HTMLDialogElement);
const people = new Map<string, Person>();
const pointers = new Map<string, HTMLElement>();
let strokes: Stroke[] = [];
let color: Color = 'ink';
let width = 4;
let line: Point[] | undefined;

// Joining ----------------------------------------------------------------------------------------

let name = sessionStorage.getItem('name') ?? '';

socket.on('connect', () => {
  state('connected');
  if (name) void join();
  else hello.showModal();
});
socket.on('disconnect', () => state('reconnecting…'));
socket.on('contract:error', ({ event, at, message }) => state(`${event} ${at}: ${message}`));

hello.addEventListener('close', () => {
  name = element('name', HTMLInputElement).value.trim();
  void join();
});

async function join(): Promise<void> {
  const answer = await socket.emitWithAck('join', name);
  if (answer.ok) {
    sessionStorage.setItem('name', name);
    strokes = answer.value.strokes;
    people.clear();
    for (const person of answer.value.people) people.set(person.id, person);
    showPeople();
    redraw();
    return;
  }
  const { error } = answer;
  const refused = element('refused', HTMLElement);
  // each code has its own fields, and the compiler knows which
  if (error.code === 'taken') refused.textContent = `${error.by} is here already.`;
  else if (error.code === 'too_long') refused.textContent = `At most ${error.most} letters.`;
  else if (error.code === 'full') refused.textContent = 'The board is full of people.';
  else refused.textContent = `${error.at}: ${error.message}`;
  hello.showModal();
}

socket.on('joined', (person) => {
  people.set(person.id, person);
  showPeople();
});
socket.on('left', (id) => {
  people.delete(id);
  pointers.get(id)?.remove();
  pointers.delete(id);
  showPeople();
});

// Drawing ----------------------------------------------------------------------------------------

socket.on('drawn', (stroke) => {
  strokes.push(stroke);
  draw(stroke);
});
socket.on('cleared', (by) => {
  strokes = [];
  redraw();
  state(`${by} cleared the board`);
});
socket.on('pointer', (id, { x, y }) => {
  let pointer = pointers.get(id);
  if (!pointer) {
    pointer = document.createElement('span');
    element('pointers', HTMLElement).append(pointer);
    pointers.set(id, pointer);
  }
  pointer.textContent = people.get(id)?.name ?? '';
  pointer.style.left = `${x * 100}%`;
  pointer.style.top = `${y * 100}%`;
});

board.addEventListener('pointerdown', (event) => {
  board.setPointerCapture(event.pointerId);
  line = [place(event)];
});
board.addEventListener('pointermove', (event) => {
  socket.volatile.emit('pointer', place(event));
  if (!line) return;
  line.push(place(event));
  send();
});
board.addEventListener('pointerup', () => {
  if (line?.length === 1) line.push(line[0]!);
  send();
  line = undefined;
});

/** What was drawn since the last time goes to the others. */
function send(): void {
  if (!line || line.length < 2) return;
  const stroke: Stroke = { color, width, points: line.slice(-MOST_POINTS) };
  strokes.push(stroke);
  draw(stroke);
  socket.emit('draw', stroke);
  line = line.slice(-1);
}

/** Where an event is: from 0 to 1, whatever the size of the window. */
function place(event: PointerEvent): Point {
  const within = (value: number): number => Math.min(1, Math.max(0, value));
  return { x: within(event.offsetX / board.clientWidth), y: within(event.offsetY / board.clientHeight) };
}

function draw({ color, width, points }: Stroke): void {
  context.strokeStyle = COLORS[color];
  context.lineWidth = width;
  context.lineCap = context.lineJoin = 'round';
  context.beginPath();
  for (const { x, y } of points) context.lineTo(x * board.clientWidth, y * board.clientHeight);
  context.stroke();
}

function redraw(): void {
  const scale = devicePixelRatio;
  board.width = board.clientWidth * scale;
  board.height = board.clientHeight * scale;
  context.scale(scale, scale);
  strokes.forEach(draw);
}
new ResizeObserver(redraw).observe(board);

// Around it --------------------------------------------------------------------------------------

for (const [name, value] of Object.entries(COLORS) as [Color, string][]) {
  const choice = document.createElement('input');
  Object.assign(choice, { type: 'radio', name: 'color', value: name, title: name });
  choice.checked = name === color;
  choice.style.setProperty('--color', value);
  choice.addEventListener('change', () => (color = name));
  element('colors', HTMLElement).append(choice);
}
element('width', HTMLInputElement).addEventListener('input', ({ target }) => {
  width = Number((target as HTMLInputElement).value);
});
element('clear', HTMLButtonElement).addEventListener('click', () => {
  socket.emit('clear', () => {
    strokes = [];
    redraw();
    state('cleared');
  });
});

function showPeople(): void {
  const items = [...people.values()].map((person) => {
    const item = document.createElement('li');
    item.textContent = person.id === socket.id ? `${person.name} (you)` : person.name;
    return item;
  });
  element('people', HTMLElement).replaceChildren(...items);
}

function state(text: string): void {
  element('state', HTMLElement).textContent = text;
}

function element<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`there is no #${id}`);
  return found;
}
