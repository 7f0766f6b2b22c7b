# The Java package: format, lints, tests, documentation, each benchmark briefly, and the jar as a
# stranger uses it: its examples, and a module of his own, outside this tree.
source .ci/need.sh
need_java

cargo build --release --lib
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
maven() { mvn --batch-mode --quiet "$@"; }

maven org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy -DoutputDirectory="$work" \
    -Dartifact=com.google.googlejavaformat:google-java-format:1.37.0:jar:all-deps
exports=()
for package in api code file parser tree util; do
    exports+=("--add-exports=jdk.compiler/com.sun.tools.javac.$package=ALL-UNNAMED")
done
find bindings/java tests/interop/java -name '*.java' ! -path '*/target/*' -print0 |
    xargs -0 java "${exports[@]}" -jar "$work"/google-java-format-*.jar \
        --dry-run --set-exit-if-changed

cd bindings/java
# Tests, lints and the jar; then what javadoc says is an error.
maven install javadoc:javadoc

maven -f bench/pom.xml package
java --enable-native-access=ALL-UNNAMED -cp 'bench/target/lib/*:bench/target/spsc-shm-bench-0.2.0.jar' \
    org.openjdk.jmh.Main -f 1 -wi 0 -i 1 -r 10ms -v SILENT -foe true >/dev/null

cp target/spsc-shm-0.2.0.jar examples/*.java "$work"
cd "$work"
run() { java --enable-native-access=ALL-UNNAMED -cp spsc-shm-0.2.0.jar "$1.java" "java-gate-$$"; }
run Producer <"$root/README.md" & run Consumer >copy
wait
cmp "$root/README.md" copy
printf 'one\ntwo\n' | run Sender & run Receiver >said
wait
[[ $(<said) == $'0: one\n1: two' ]]

mkdir stranger
cat >stranger/module-info.java <<'END'
module stranger {
  requires io.github.spscshm;
}
END
cat >stranger/Main.java <<'END'
package stranger;

import io.github.spscshm.Ring;

class Main {
  public static void main(String[] arguments) throws Exception {
    try (Ring ring = Ring.anonymous(4096)) {
      ring.producer().send("hello".getBytes(), 1);
      System.out.println(new String(ring.consumer().receive().data()));
    }
  }
}
END
javac -Werror -p spsc-shm-0.2.0.jar -d classes stranger/*.java
[[ $(java --illegal-native-access=deny --enable-native-access=io.github.spscshm \
    -p spsc-shm-0.2.0.jar:classes -m stranger/stranger.Main) == hello ]]
