import spsc from './index.js';

export const { Ring, Producer, Consumer, Connection, connect, Server, createServer, SpscError } = spsc;
export default spsc;
