// The same package from CommonJS.
import spsc = require('spsc-shm');

export const ring: spsc.Ring = spsc.Ring.anonymous(4096);
export const server: spsc.Server = spsc.createServer();
