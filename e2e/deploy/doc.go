// Package deploy holds the image and the compose file against a Docker engine of
// its own: started as root, with its own socket and data, on no network but its
// containers', and ended. Where none can be started the tests say so; they pull
// no image.
package deploy
