# azurite: Azure's blob storage, by Microsoft, with its public default account and key. Sourced by `up`.
# shellcheck shell=bash disable=SC2154

start_azurite() {
    launch azurite node "$node/node_modules/azurite/dist/src/blob/main.js" --blobHost 127.0.0.1 --blobPort "$azurite_port" \
        --inMemoryPersistence --skipApiVersionCheck --disableTelemetry --silent
    eventually 60 azurite answers "http://127.0.0.1:$azurite_port/devstoreaccount1?comp=list"
    offer PUBLISH_TEST_AZURE "http://127.0.0.1:$azurite_port/devstoreaccount1"
}
