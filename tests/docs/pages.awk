# Cuts the literal blocks out of the EXAMPLES of a manual page: into FOLDER/NN.sh, or into FOLDER/NN.out, the output of
# the block before, where the display is -compact. awk -v folder=FOLDER -f pages.awk PAGE
/^\.Sh / { inside = $2 == "EXAMPLES" }
inside && /^\.Bd -literal/ {
    compact = /-compact/
    if (!compact) {
        number++
    }
    file = sprintf("%s/%02d.%s", folder, number, compact ? "out" : "sh")
    printf "" >file
    next
}
/^\.Ed/ { file = "" }
file != "" {
    gsub(/\\&/, "")
    gsub(/\\e/, "\\")
    print >>file
}
