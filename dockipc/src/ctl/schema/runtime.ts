
import { ErrorReply, createClient } from "redis";

/** An error answer: `code`, such as "NOTFOUND", and `message`. */
export class Failure extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = "Failure";
    this.code = code;
  }
}

/** `timeout` limits the milliseconds of each call, and of each wait for an item of a stream. */
export interface Settings {
  timeout?: number;
  token?: string;
}

type Word = string | Buffer;
type Read<T> = (answer: unknown) => T;
type Column = Buffer;
type Write = (value: unknown) => Column[];

/** The items of a map that is sent. A `Map` can have any key; that of an object's `__proto__` is its prototype. */
type Entries<T> = ReadonlyMap<string, T> | Record<string, T>;

/** What can be sent as a value of a type: any integer and bytes, and a field that may be missing can be left out. */
export type Given<T> = T extends bigint
  ? number | bigint
  : T extends Uint8Array
    ? string | Uint8Array
    : T extends string | Date
      ? T
      : T extends Map<infer K, infer V>
        ? ReadonlyMap<Given<K>, Given<V>>
        : T extends readonly unknown[]
          ? { readonly [I in keyof T]: Given<T[I]> }
          : T extends object
            ? { [K in keyof T as null extends T[K] ? never : K]: Given<T[K]> } & {
                [K in keyof T as null extends T[K] ? K : never]?: Given<T[K]> | undefined;
              }
            : T;

/** What is used of node-redis, whose types differ between versions. */
interface Redis {
  on(event: string, listener: (...values: unknown[]) => void): unknown;
  connect(): Promise<unknown>;
  sendCommand(words: Word[], options: object): Promise<unknown>;
  pSubscribe(call: string, listener: (item: Buffer, channel: Buffer) => void, buffers: true): Promise<unknown>;
  disconnect?(): unknown;
  destroy?(): unknown;
}

/** Bytes, and integers as text: `returnBuffers` is that of node-redis 4, which has no integers as text. */
const EXACT = { returnBuffers: true, typeMapping: { 36: Buffer, 58: String } };

class Client {
  readonly #path: string;
  readonly #settings: Settings;
  #connected: Promise<Redis> | undefined;

  constructor(path: string, settings: Settings) {
    this.#path = path;
    this.#settings = settings;
  }

  close(): void {
    this.#connected?.then(end, () => {});
    this.#connected = undefined;
  }

  async #connect(): Promise<Redis> {
    const redis = createClient({
      socket: { path: this.#path, reconnectStrategy: false } as never,
      password: this.#settings.token,
      RESP: 2,
    } as never) as unknown as Redis;
    redis.on("error", () => {});
    await redis.connect();
    return redis;
  }

  #shared(): Promise<Redis> {
    if (!this.#connected) {
      const connected = this.#connect();
      this.#connected = connected;
      const forget = () => {
        if (this.#connected === connected) this.#connected = undefined;
      };
      connected.then((redis) => {
        redis.on("end", forget);
        redis.on("error", forget);
      }, forget);
    }
    return this.#connected;
  }

  async call<T>(read: Read<T>, name: string[], options: [string, unknown][], values: unknown[]): Promise<T> {
    const redis = await this.#shared();
    const answer = redis.sendCommand([...name, ...words(options, values)], EXACT);
    return read(await this.#within(answer.catch(refused)));
  }

  async *list<T>(read: Read<T>, name: string[], options: [string, unknown][], values: unknown[]): AsyncGenerator<T> {
    yield* await this.call(items(read), name, options, values);
  }

  /** Yields the items as they are made. Leaving the loop cancels the command. */
  async *stream<T>(read: Read<T>, name: string[], options: [string, unknown][], values: unknown[]): AsyncGenerator<T> {
    const call = [...name, ...words(options, values)].map(quoted).join(" ");
    const redis = await this.#connect();
    const messages: [string, Buffer][] = [];
    let wake = () => {};
    let lost: unknown;
    redis.on("error", (error) => {
      lost = error ?? new Error("the connection is lost");
      wake();
    });
    const listen = (item: Buffer, channel: Buffer) => {
      messages.push([channel.toString(), item]);
      wake();
    };
    try {
      await this.#within(redis.pSubscribe(call, listen, true).catch(refused));
      for (;;) {
        while (messages.length === 0) {
          if (lost) throw lost;
          await this.#within(new Promise<void>((resolve) => (wake = resolve)));
        }
        for (const [kind, item] of messages.splice(0)) {
          if (kind === "item") yield read(item);
          else if (kind === "end") return;
          else throw failure(item.toString().slice(1));
        }
      }
    } finally {
      end(redis);
    }
  }

  async #within<T>(answer: Promise<T>): Promise<T> {
    const { timeout } = this.#settings;
    if (timeout === undefined) return answer;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer in ${timeout} ms`)), timeout);
    });
    try {
      return await Promise.race([answer, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

function end(redis: Redis): void {
  void (async () => (redis.destroy ?? redis.disconnect)?.call(redis))().catch(() => {});
}

function failure(text: string): Failure {
  const [, code, message] = /^([A-Z][A-Z0-9_]*) ([^]*)$/.exec(text) ?? [text, "ERR", text];
  return new Failure(code as string, message as string);
}

function refused(error: unknown): never {
  throw error instanceof ErrorReply ? failure(error.message) : error;
}

function words(options: [string, unknown][], values: unknown[]): Word[] {
  const words: Word[] = [];
  for (const [flag, value] of options) {
    if (value === SET) words.push(flag);
    else for (const each of given(value)) words.push(flag, word(each));
  }
  const last = values.flatMap(given).map(word);
  // A value may begin with dashes.
  return last.length > 0 ? [...words, "--", ...last] : words;
}

/** The value of a flag that is set. */
const SET = Symbol("set");

function given(value: unknown): unknown[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : [value];
}

/** Returns the entries of a map as words `KEY=VALUE`. */
function entries<T>(values: Entries<T> | null | undefined, convert: (value: T) => unknown = any): Word[] {
  const all = values instanceof Map ? [...values] : Object.entries<T>((values ?? {}) as Record<string, T>);
  const given = all.filter(([, value]) => value !== undefined);
  return given.map(([key, value]) => Buffer.concat([Buffer.from(`${key}=`), bytes(word(convert(value)))]));
}

type Path = string | Uint8Array;

/** Puts the current directory in front of each relative path. The daemon refuses an empty one. */
function absolute(path: Path | readonly Path[] | null | undefined): Word | Word[] | undefined {
  if (path === undefined || path === null) return undefined;
  if (typeof path !== "string" && !(path instanceof Uint8Array)) return path.map((each) => absolute(each) as Word);
  const bytes = Buffer.from(path as string);
  return bytes.length === 0 || bytes[0] === 47 ? bytes : Buffer.concat([Buffer.from(`${process.cwd()}/`), bytes]);
}

function directory(path: Path | undefined): unknown {
  return path === undefined ? process.cwd() : absolute(path);
}

/** Returns the JSON text of a value. That of a string is in quotes, also if the string is JSON itself. */
function dumped(value: unknown): string | undefined {
  return JSON.stringify(value);
}

/** Returns the words of another command line, which are behind a second `--`. */
function last(command: readonly unknown[]): unknown[] {
  return ["--", ...command];
}

function word(value: unknown): Word {
  if (value instanceof Uint8Array) return Buffer.from(value);
  return value instanceof Date ? value.toISOString() : String(value);
}

/** The word of a duration in milliseconds. */
function nanoseconds(duration: number | readonly number[] | null | undefined): string | string[] | undefined {
  if (duration === undefined || duration === null) return undefined;
  if (typeof duration !== "number") return duration.map((each) => nanoseconds(each) as string);
  return `${Math.round(duration * 1e6)}ns`;
}

/** Quotes a word of a call, if it needs that: the daemon takes a single quoted word for a pattern of events. */
function quoted(word: Word): string {
  const text = String(word);
  if (typeof word !== "string" && !Buffer.from(text).equals(word)) {
    throw new TypeError("the call of a stream can't have bytes that are not UTF-8");
  }
  return /^[\w.:-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function any(answer: unknown): unknown {
  return answer;
}

function nothing(_: unknown): void {}

function bytes(answer: unknown): Buffer {
  if (Buffer.isBuffer(answer)) return answer;
  if (answer === undefined || answer === null) throw new TypeError("a value is missing in an answer");
  return Buffer.from(String(answer));
}

function text(answer: unknown): string {
  return bytes(answer).toString();
}

function bool(answer: unknown): boolean {
  return answer === true || ["1", "true"].includes(text(answer));
}

function int(answer: unknown): number {
  return Number(text(answer));
}

function bigint(answer: unknown): bigint {
  if (typeof answer === "number" && !Number.isSafeInteger(answer)) {
    throw new RangeError("node-redis 4 can't read so large an integer: use node-redis 5 or newer");
  }
  return BigInt(text(answer));
}

function float(answer: unknown): number {
  const word = text(answer);
  return word === "inf" ? Infinity : word === "-inf" ? -Infinity : Number(word);
}

const UNITS: Record<string, number> = { ns: 1e-6, us: 1e-3, "µs": 1e-3, ms: 1, s: 1e3, m: 6e4, h: 3.6e6, d: 8.64e7 };

function duration(answer: unknown): number {
  let sum = 0;
  for (const [, number, unit] of text(answer).matchAll(/([0-9.]+)([a-zµ]+)/g)) {
    sum += Number(number) * (UNITS[unit as string] ?? NaN);
  }
  return sum;
}

function json(answer: unknown): unknown {
  return JSON.parse(text(answer));
}

function time(answer: unknown): Date {
  return new Date(text(answer));
}

function optional<T>(read: Read<T>): Read<T | null> {
  return (answer) => (answer === null || answer === undefined ? null : read(answer));
}

function array(answer: unknown): unknown[] {
  if (!Array.isArray(answer)) throw new TypeError("an answer is no list");
  return answer;
}

function items<T>(read: Read<T>): Read<T[]> {
  return (answer) => array(answer).map(read);
}

function row<T extends unknown[]>(...columns: { [I in keyof T]: Read<T[I]> }): Read<T> {
  return (answer) => {
    const row = array(answer);
    return columns.map((read, i) => read(row[i])) as T;
  };
}

/** Reads the row of a message, whose columns are escaped. */
function columns<T>(read: Read<T>): Read<T> {
  const letters: Record<string, string> = { t: "\t", n: "\n", r: "\r" };
  const column = (text: string) => text.replace(/\\(.)/g, (_, letter: string) => letters[letter] ?? letter);
  return (answer) => {
    const row = bytes(answer).toString("latin1").split("\t");
    return read(row.map((text) => Buffer.from(column(text), "latin1")));
  };
}

function map<K, V>(key: Read<K>, of: Read<V>): Read<Map<K, V>> {
  return (answer) => {
    const flat = array(answer);
    const map = new Map<K, V>();
    for (let i = 0; i + 1 < flat.length; i += 2) map.set(key(flat[i]), of(flat[i + 1]));
    return map;
  };
}

/** Reads the fields of a struct. A field can have any name: `Object.fromEntries` sets no prototype. */
function fields<T extends object>(readers: { [K in keyof T]: Read<T[K]> }): Read<T> {
  return (answer) => {
    const values = map(text, any)(answer);
    const all = Object.entries<Read<unknown>>(readers);
    return Object.fromEntries(all.map(([name, read]) => [name, read(values.get(name))])) as T;
  };
}

/** Reads a word, or an object with one word and its value. */
function union(readers: Record<string, Read<unknown>>): Read<unknown> {
  return (answer) => {
    if (!Array.isArray(answer)) return text(answer);
    const word = text(answer[0]);
    return { [word]: ((own(readers, word) ?? any) as Read<unknown>)(answer[1]) };
  };
}

/** Returns the property of an object, and none that each object has. */
function own(object: unknown, name: string): unknown {
  return Object.prototype.hasOwnProperty.call(object, name) ? (object as Record<string, unknown>)[name] : undefined;
}

function cell(value: unknown): Column[] {
  if (value === undefined || value === null) throw new TypeError("a value of an item is missing");
  return [bytes(word(value))];
}

function durationCell(value: unknown): Column[] {
  return cell(nanoseconds(value as number));
}

function jsonCell(value: unknown): Column[] {
  return cell(dumped(value));
}

/**
 * A value that is missing has its columns, all of them empty. So has an empty text: the daemon reads it as missing.
 */
function maybe(width: number, write: Write): Write {
  return (value) => (value === undefined || value === null ? Array(width).fill(Buffer.from("")) : write(value));
}

function each(write: Write): Write {
  return (values) => [...(values as Iterable<unknown>)].flatMap((value) => write(value));
}

function tuple(...writes: Write[]): Write {
  return (values) => {
    const row = array(values);
    if (row.length !== writes.length) throw new TypeError(`a row has ${writes.length} values, not ${row.length}`);
    return writes.flatMap((write, i) => write(row[i]));
  };
}

function pairs(key: Write, of: Write): Write {
  return (values) => [...(values as Iterable<[unknown, unknown]>)].flatMap(([name, value]) => [...key(name), ...of(value)]);
}

/** Writes the fields of a struct, with their names in front of them or not. */
function members(writes: Record<string, Write>, isNamed = true): Write {
  return (item) => {
    const field = ([name, write]: [string, Write]) => [...(isNamed ? cell(name) : []), ...write(own(item, name))];
    return Object.entries(writes).flatMap(field);
  };
}

/** Writes a word, or an object with one word and its value. */
function variant(writes: Record<string, Write>): Write {
  return (item) => {
    if (typeof item === "string") return cell(item);
    const [[word, value] = ["", undefined]] = Object.entries(item as object);
    const write = own(writes, word) as Write | undefined;
    if (!write) throw new TypeError(`no variant has a value and the name "${word}"`);
    return [...cell(word), ...write(value)];
  };
}

function anyRow(value: unknown): Column[] {
  return Array.isArray(value) ? each(cell)(value) : cell(value);
}

const ESCAPES: Record<string, string> = { "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" };

/** Returns a line for each item, with tabs between its columns. */
function rows(items: Iterable<unknown>, write: Write, header?: string): Buffer {
  if (typeof items === "string" || items instanceof Uint8Array) {
    throw new TypeError("a text or bytes in place of the items");
  }
  const escaped = (column: Column) => column.toString("latin1").replace(/[\\\t\n\r]/g, (byte) => ESCAPES[byte] ?? byte);
  const lines = [...items].map((item) => Buffer.from(`${write(item).map(escaped).join("\t")}\n`, "latin1"));
  return Buffer.concat(header === undefined ? lines : [Buffer.from(`${header}\n`), ...lines]);
}

function jsonLines(items: Iterable<unknown>): string {
  return [...items].map((item) => `${dumped(item)}\n`).join("");
}

/** The conversions, under a name that no parameter has. */
const $ = {
  any,
  nothing,
  bytes,
  text,
  bool,
  int,
  bigint,
  float,
  duration,
  time,
  json,
  optional,
  items,
  row,
  columns,
  map,
  fields,
  union,
  entries,
  last,
  absolute,
  directory,
  dumped,
  nanoseconds,
  cell,
  durationCell,
  jsonCell,
  maybe,
  each,
  tuple,
  pairs,
  members,
  variant,
  anyRow,
  rows,
  jsonLines,
};
