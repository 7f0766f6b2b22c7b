// Serves HTTP over connections, and asks itself: node http.mjs PATH
import http from 'node:http';
import { connect, createServer } from 'spsc-shm';

const [path] = process.argv.slice(2);
const web = http.createServer((request, response) => response.end(`you asked for ${request.url}\n`));
const server = createServer((connection) => web.emit('connection', connection));
server.listen(path, () => {
  const options = { createConnection: () => connect(path), path: '/something' };
  http.get(options, (response) => {
    response.pipe(process.stdout);
    response.on('end', () => server.close());
  });
});
