# The Node.js package: format and lints of both halves, types, tests against the packed package in an
# empty project, its README's programs, and each benchmark briefly.
source .ci/need.sh
need_node
need_python
need_package readelf binutils
need_package git git
need_package taskset util-linux

cd bindings/node
cargo fmt --check
cargo clippy --quiet --locked -- -D warnings

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/tools" "$work/user"
npm() { command npm --silent --no-fund --no-audit --no-update-notifier "$@"; }
npm install --prefix "$work/tools" @biomejs/biome@2.6.8 typescript@7.0.2 @types/node@20
biome=$work/tools/node_modules/.bin/biome
"$biome" ci --colors=off --error-on-warnings .
(cd ../../tests/interop/node && "$biome" ci --colors=off --error-on-warnings --config-path="$OLDPWD" .)

# What a user has: the packed package, and nothing of this tree.
(cd ../.. && python3 tools/dist --architecture "$(uname -m)" npm)
package=$(ls ../../target/dist/"$(node -p 'require("./package.json").version')"/*.tgz)
npm install --prefix "$work/user" "$package"
installed=$work/user/node_modules/spsc-shm
[[ ! -e $installed/src && ! -e $installed/build.js ]]
cp -r test examples "$work/user"
SPSC_NODE_PACKAGE=$installed node --expose-gc --test "$work"/user/test/*.test.js
node bench/bench.js --turns 1 --package "$installed"

cp -r "$work/tools/node_modules/@types" "$work/user/node_modules"
[[ ! -d $work/tools/node_modules/undici-types ]] ||
    cp -r "$work/tools/node_modules/undici-types" "$work/user/node_modules"
"$work/tools/node_modules/.bin/tsc" --project "$work/user/test/types"

# Both ways to load it.
cd "$work/user"
node --input-type=module -e 'import spsc, { Ring } from "spsc-shm"; if (spsc.Ring !== Ring) process.exit(1)'
node -e 'require("spsc-shm").Ring.anonymous(1).close()'

# The programs of the README, word for word.
code() { sed -n "/^The $1, /,/^\`\`\`\$/p" "$OLDPWD/README.md" | sed '1,/^```js/d; $d'; }
for program in producer consumer; do code $program >"$program.mjs"; done
node producer.mjs & node consumer.mjs >said
wait
[[ $(wc -l <said) == 1000 && $(tail -1 said) == "greeting 999" ]]
