'use strict';

// The addon of this platform.
module.exports = require(`../prebuilt/${process.platform}-${process.arch}.node`);
