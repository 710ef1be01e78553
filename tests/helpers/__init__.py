"""What several tests need: datasets and studies, a cluster, a browser, images, patience."""
