#!/bin/sh
# stop | switch | start | healthy of one application of the station: control.sh HOME VERB.
# A shell and two named pipes, so that what is measured is the application and not the start of a program.
cd "$1" || exit 1
case $2 in
    healthy) exec cat view ;;
    *) echo "$2 $KMIGRATE_SETTINGS" >ask ;;
esac
read -r told <told
[ "$told" = done ] || { echo "$told" >&2; exit 1; }
