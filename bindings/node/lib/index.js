'use strict';

const { Ring } = require('./ring.js');
const { Producer } = require('./producer.js');
const { Consumer } = require('./consumer.js');
const { Connection, connect } = require('./connection.js');
const { Server, createServer } = require('./server.js');
const { SpscError } = require('./errors.js');

module.exports = { Ring, Producer, Consumer, Connection, connect, Server, createServer, SpscError };
