# The Python package: format and lints of both halves, types, tests from the built wheel in an empty
# environment, the README's programs, and each benchmark briefly.
source .ci/need.sh

need_python
need_package readelf binutils
need_package git git

cd bindings/python
cargo fmt --check
cargo clippy --quiet --locked -- -D warnings

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/tools"
pip() { "$1/bin/pip" --quiet --disable-pip-version-check "${@:2}"; }
pip "$work/tools" install 'ruff==0.17.*'
(cd ../.. && python3 tools/dist --architecture "$(uname -m)" wheel)
mkdir "$work/wheels"
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
cp "../../target/dist/$version"/*"_$(uname -m).whl" "$work/wheels"

# What a user has: the wheel, and nothing of this tree.
python3 -m venv "$work/user"
pip "$work/user" install "$work"/wheels/*.whl pytest hypothesis numpy pyzmq 'mypy==2.4.*'
(cd "$work" && user/bin/python -c 'import spsc_shm; print(spsc_shm.__file__)' | grep -F "$work")

"$work/tools/bin/ruff" format --check . ../../tests/interop/python ../../tools/dist
"$work/tools/bin/ruff" check . ../../tests/interop/python ../../tools/dist
"$work/user/bin/mypy"
cp -r tests examples "$work"
"$work/user/bin/pytest" -q -p no:cacheprovider "$work/tests"
"$work/user/bin/python" bench/bench.py --turns 1

# The programs of the README, word for word, with the wheel that is built already.
code() { sed -n "/^The $1, /,/^\`\`\`\$/p" README.md | sed '1,/^```python/d; $d'; }
for program in producer consumer; do code $program >"$work/$program.py"; done
cd "$work"
python3 -m venv venv
pip venv install wheels/*.whl
venv/bin/python producer.py & venv/bin/python consumer.py >said
wait
[[ $(wc -l <said) == 1000 && $(tail -1 said) == "greeting 999" ]]
