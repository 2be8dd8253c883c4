#!/usr/bin/env bash
# An agent in bash with curl and nothing else: it serves `count`, which counts the words of a text.
#
#   STAGEWRIGHT_ADDRESS=http://127.0.0.1:PORT STAGEWRIGHT_TOKEN=... bash agent.sh
#
# A claim's answer begins with the task and its token, so no JSON parser is needed to find them.
set -euo pipefail

: "${STAGEWRIGHT_ADDRESS:?set it to the address that the server printed}"
api=$STAGEWRIGHT_ADDRESS/api/v1
holder=$(hostname)-$$
trap 'kill $(jobs -p) 2>/dev/null; exit 0' INT TERM

# call METHOD PATH BODY: prints the answer; sends again what was not answered. A refusal is told on
# standard error and ends with status 22.
call() {
    local answer status
    while true; do
        answer=$(curl --silent --max-time 40 --request "$1" "$api$2" --write-out '\n%{http_code}' \
            --header "authorization: Bearer ${STAGEWRIGHT_TOKEN-}" \
            --header 'content-type: application/json' --data "$3") || true
        status=${answer##*$'\n'}
        case $status in
            2*) printf '%s' "${answer%$'\n'*}" && return ;;
            4*) printf 'refused: %s\n' "${answer%$'\n'*}" >&2 && return 22 ;;
        esac
        sleep 0.5
    done
}

call PUT /agents/count/contract \
    '{"version":"1.0.0","input":{"type":"string"},"output":{"type":"integer"}}' >/dev/null
echo "serving count as $holder"

while true; do
    wish="{\"holder\":\"$holder\",\"claim_id\":\"$holder-$RANDOM$RANDOM\",\"wait_s\":20}"
    # curl runs beside us, so that a signal is heard while it waits
    call POST /agents/count/claim "$wish" >"${TMPDIR:-/tmp}/claim-$$" &
    wait $! || { sleep 1 && continue; }
    claimed=$(<"${TMPDIR:-/tmp}/claim-$$")
    [[ $claimed =~ ^\{\"tasks\":\[\{\"task\":\"([^\"]+)\",\"token\":([0-9]+), ]] || continue
    task=${BASH_REMATCH[1]} token=${BASH_REMATCH[2]}

    # The input comes last, and is a text here: a JSON string.
    text=${claimed##*\"input\":\"}
    text=${text%\"\}]\}}
    words=$(printf '%s' "$text" | wc -w)

    call POST "/tasks/$task/events" \
        "{\"token\":$token,\"first\":1,\"events\":[{\"event\":\"log\",\"message\":\"counted\"}]}" \
        >/dev/null || continue
    call POST "/tasks/$task/complete" "{\"token\":$token,\"output\":$words}" || continue
    echo
done
